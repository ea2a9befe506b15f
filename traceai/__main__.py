"""`python -m traceai`: the command line, where no script directory is on the path."""

from traceai.cli import main

if __name__ == "__main__":
    main()
