from setuptools import find_packages, setup

PACKAGE = 'ros2bench_recorder'

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
    description='Records when each message was due, sent and taken; serves the samples.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'ros2bench-recorder = ros2bench_recorder.recorder:main',
        ],
    },
)
