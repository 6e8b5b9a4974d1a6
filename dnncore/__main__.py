from dnncore_command import main

raise SystemExit(main())
