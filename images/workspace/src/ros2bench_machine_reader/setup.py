from setuptools import find_packages, setup

PACKAGE = 'ros2bench_machine_reader'

setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(),
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + PACKAGE]),
        ('share/' + PACKAGE, ['package.xml']),
    ],
    install_requires=['setuptools'],
    zip_safe=False,
    maintainer='ros2bench contributors',
    maintainer_email='ros2bench@users.noreply.github.com',
    description='Reads the counters of a machine: processor, memory, I/O, power, images, network.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'ros2bench-machine-reader = ros2bench_machine_reader.machine_reader:main',
        ],
    },
)
