from setuptools import find_packages, setup

PACKAGE = 'ros2bench_service'

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
    description='What recorder and machine reader share: signed calls, captures, metrics as text.',
    license='Apache-2.0',
)
