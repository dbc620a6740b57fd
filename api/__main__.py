"""`python -m api`: the `nova` command without its console script."""

from api.cli.main import main

if __name__ == "__main__":
    main()
