from setuptools import find_packages, setup

PACKAGE = 'ros2bench_nodes'

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
    description='Reference application: camera, detector, reader and monitor.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'camera = ros2bench_nodes.camera:main',
            'detector = ros2bench_nodes.detector:main',
            'reader = ros2bench_nodes.reader:main',
            'monitor = ros2bench_nodes.monitor:main',
        ],
    },
)
