"""The words by which the domain of a question is detected: the defaults of ``[domains]``."""

DOMAINS: dict[str, dict[str, list[str]]] = {
    "zddc-naming": {
        "triggers": [
            *("zddc", "trackingnumber", "tracking number", "revision", "revise", "rev", "status code", "statuscode"),
            *("transmittal", "ifc", "ifr", "ifa", "ifi", "ifu", "ifd", "ift", "as-built", "document control", "doc control"),
            *("document controller", "document number", "doc number", "drawing", "deliverable", "issued for", "reissue"),
            *("re-issue", "purpose of issue", "superseded", "resubmit", "data sheet", "datasheet", "contractor", "vendor"),
            *("file name", "document type", "discipline", "dwg", "document name", "name a document", "naming convention"),
            *("specification", "resubmittal", "submittal", "draft", "client comment", "vdr", "mdr", "document register"),
            r"re:(?<!\w)\d{4,8}-[a-z]{2,3}-[a-z]{2,4}-\d{3,5}(?![^\W_])",
            r"re:_~?\w{1,3}(?:\+\w\d+)? \([a-z]{3}\) - ",
            r"re:\((?:if[a-z]|rtn|tbd|asb)\)",
        ],
        "except": [
            *("ifr or vfr", "vfr or ifr", "ifr flight", "ifr rating", "ifc part", "the ifc is", "ifc world bank"),
            *("amazon", "revision of the law", "law revision", "alembic revision", "git revision", "database revision"),
            *("exam revision", "revision for", "draft beer", "first draft", "draft a letter", "drawing board"),
            *("context manager", "vendor bundle", "vendor folder", "vendor a", "file name in python"),
        ],
    },
    "html-architecture": {
        "triggers": [
            *("html", "html5", "xhtml", "spa", "single-file", "single-page", "es module", "es6 module", "esm", "vanilla js"),
            *("vanillajs", "vanilla javascript", "plain js", "pure js", "plain javascript", "css", "stylesheet", "style sheet"),
            *("dom", "shadow dom", "web component", "custom element", "web page", "webpage", "css grid", "flexbox", "flex box"),
            *("service worker", "localstorage", "sessionstorage", "indexeddb", "queryselector", "getelementbyid"),
            *("addeventlistener", "event delegation", "event listener", "innerhtml", "contenteditable", "iframe", "srcdoc"),
            *("pushstate", "popstate", "history api", "hash router", "hash routing", "importmap", "import map", "viewport"),
            *("media query", "responsive page", "responsive layout", "responsive design", "dark mode", "css variable"),
            *("aria", "aria-live", "modal", "dialog element", "sidebar", "accordion", "browser tab", "inline script"),
            *("showdirectorypicker", "file system access", "drag and drop", "back button", "file://", "web app"),
            *("<div", "<script", "<template", "<style", "<button", "<input", "<form", "<ul", "<li", "<canvas", "<svg", "<dialog"),
            *("<iframe", "<details", "<table", "<link", "<a ", "<img", "<head", "<body", "<pre", "background-", "prefers-color"),
        ],
        "except": [
            *("html scraper", "html parser in python", "spa hotel", "spa near", "spa day", "day spa", "spa weekend", "a spa"),
            *("dom perignon", "kölner dom", "beautifulsoup", "aria from", "modal verb", "modal logic"),
        ],
    },
    "build-system": {
        "triggers": [
            *("build.sh", "dist/", "template.html", "dist", "dist folder", "build", "build script", "build step", "built", "prebuilt"),
            *("rebuild", "release build", "release", "bundle", "bundler", "minify", "minified", "unminified", "uglify", "inline"),
            *("webpack", "rollup", "esbuild", "vite", "parcel", "terser", "makefile", "make target", ".phony", "gnu make", "cmake"),
            *("cmakelists.txt", "ninja", "gradle", "maven", "bazel", "meson", "package.json", "pyproject.toml", "tree shaking"),
            *("wheel", "sdist", "source map", "sourcemap", "ci", "ci pipeline", "github actions", "gitlab ci", "jenkinsfile"),
            *("jenkins", "artifact", "artefact", "concatenate", "compile", "linker flag", "workflow", "cross-compile", "ccache"),
            *("docker build", "dockerfile", "npm run", "build pipeline", "incremental build", "reproducible build", "in make"),
            *("output folder", "output file", "tell make", "postinstall", "setup.py", "cargo build", "build time", "transpile"),
        ],
        "except": [
            *("as-built", "who built", "build or buy", "built by", "build a house", "inline skate", "ferris wheel", "wheel of"),
            *("press release", "release date", "built-in", "was built", "find in tutankhamun", "string builder", "build muscle"),
        ],
    },
    "coding-debugging": {
        "triggers": [
            *("debug", "debugger", "error", "fix", "console", "bug", "buggy", "bugfix", "exception", "traceback", "stack trace"),
            *("stacktrace", "call stack", "backtrace", "core dump", "segfault", "segmentation fault", "crash", "fail", "failure"),
            *("throw", "throws", "thrown", "panic", "panicked", "goroutine", "undefined", "is not a function", "not defined"),
            *("*error", "*exception", "hang", "freeze", "deadlock", "race condition", "memory leak", "leak", "valgrind", "gdb"),
            *("exit code", "out of range", "out of bounds", "null pointer", "nullpointer", "nonetype", "unexpected", "wrong"),
            *("broken", "doesn't work", "does not work", "not working", "no longer works", "stopped working", "what did i do"),
            *("duplicate key", "no module named", "permission denied", "connection refused", "invalid", "unsupported operand"),
            *("can't decode", "cannot", "expected", "breakpoint", "troubleshoot", "off by one", "stack overflow", "reproduce"),
            *("nan", "partially initialized", "flaky", "why does", "why is", "why do i get", "keep getting", "repeats"),
            *("stuck", "infinite loop", "regression", "bisect", "oom", "killed", "500", "404", "uncaught", "unhandled"),
        ],
        "except": [
            *("margin of error", "trial and error", "standard error", "square error", "squared error", "comedy of errors"),
            *("absolute error", "error bars", "error bar", "error handling", "error text", "error message text", "type i error"),
            *("playstation console", "game console", "games console", "gaming console", "console table", "nintendo console"),
            *("console me", "old console", "fix me a", "fix dinner", "fixed price", "fixed income", "position fixed", "fix the date"),
            *("exception to", "with the exception of", "market crash", "crash of 1929", "crash course", "car crash", "heart failure"),
            *("what is wrong with society", "expected value", "single point of failure", "word debugging", "attachment fixed"),
            *("toFixed", "throw away", "throw a party", "bug bite", "panic attack", "hang out", "fix at", "has an error", "undefined behaviour"),
        ],
    },
    "reasoning-architecture": {
        "triggers": [
            *("reason", "analyze", "analysis", "architecture", "architect", "design", "trade-off", "tradeoff", "pros and cons"),
            *("microservice", "monolith", "monorepo", "event sourcing", "cqrs", "serverless", "scalability", "scale", "cap theorem"),
            *("eventual consistency", "single point of failure", "multi-tenant", "message queue", "queue", "kafka", "rate limiting"),
            *("sharding", "replication", "load balancer", "availability", "layered", "coupling", "decouple", "boundaries"),
            *("compare", "plan", "migrate", "migration", "strategy", "approach", "weigh", "evaluate", "versus", "nosql", "sql or nosql"),
            *("would you choose", "which would you", "should we", "is it worth", "worth introducing", "good enough", "or many"),
            *("what would you", "how would you", "better structure", "requirement", "risk", "step by step", "decide", "prove"),
            *("build or buy", "where should", "sync", "async event", "locking", "optimistic", "pessimistic", "domain layer"),
            *("service", "system design", "design pattern", "roadmap", "phased", "sensible", "alternatives", "consequences"),
        ],
        "except": [
            *("for some reason", "for no reason", "within reason", "no reason", "interior design", "interior architecture", "sound design"),
            *("design of the", "architecture of the", "redesign of", "service worker", "fashion design", "graphic design", "responsive design"),
            *("the monolith stand", "analysis of", "reason for rejecting", "savings plan", "reasons for", "customer service"),
        ],
    },
}
