"""Real workers, a real API and a real store in trouble, and the jobs compared with what their tasks wrote down.

    make chaos ARGS="--seconds 90 --seed 1"

`run` tells the story from start to end; `orders` says what is asked for and `trouble` what goes wrong, both by the
seed alone; `judge` says what is legal.
"""
