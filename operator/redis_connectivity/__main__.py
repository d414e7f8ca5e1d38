"""`python -m redis_connectivity` is `redis-connectivity`."""

from redis_connectivity.cli import main

if __name__ == "__main__":
    main()
