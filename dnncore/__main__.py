from dnncore.cli import main

raise SystemExit(main())
