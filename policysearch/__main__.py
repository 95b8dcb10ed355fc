"""`python -m policysearch`: the command line."""

from policysearch.cli import main

if __name__ == "__main__":
    main()
