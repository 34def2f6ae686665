from setuptools import find_packages, setup

PACKAGE = 'ros2bench_composition'

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
    description='Component container: loads signed, listed node classes and nothing else.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'ros2bench-component-container = ros2bench_composition.container:main',
            'ros2bench-component-manifest = ros2bench_composition.manifest_command:main',
        ],
    },
)
