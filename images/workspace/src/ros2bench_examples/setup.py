from setuptools import find_packages, setup

PACKAGE = 'ros2bench_examples'

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
    description='Small applications: publish/subscribe, service, action, simulation, queue.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'talker = ros2bench_examples.talker:main',
            'listener = ros2bench_examples.listener:main',
            'service_server = ros2bench_examples.service_server:main',
            'service_client = ros2bench_examples.service_client:main',
            'action_server = ros2bench_examples.action_server:main',
            'action_client = ros2bench_examples.action_client:main',
            'simulator = ros2bench_examples.simulator:main',
            'controller = ros2bench_examples.controller:main',
            'job_queue = ros2bench_examples.job_queue:main',
            'worker = ros2bench_examples.worker:main',
        ],
    },
)
