"""`python -m equipoise`: the same commands where the script's folder is not on the search path."""

from equipoise.cli.main import main

if __name__ == "__main__":
    main()
