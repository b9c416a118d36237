from rnnscope.cli import main

main()
