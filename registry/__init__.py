"""What was declared, looked at and decided; append-only.

`store` opens a registry and reads it, `membership` says who is in it, `lifecycle` holds the acts on an
experiment, `verification` tells whether anybody changed anything behind the registry's back.
"""
