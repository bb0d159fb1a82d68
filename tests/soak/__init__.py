"""A stack of docker-compose.yml under load for a long time, while parts of it are upgraded, killed and restarted.

    make soak ARGS="--minutes 30 --restart-engine 'systemctl restart docker'"

`run` tells the story from start to end; `orders` says what is asked for and what must become of it, `load` asks,
`trouble` says what is done meanwhile, `memory` watches the processes, and `account` compares all jobs in the end.
"""
