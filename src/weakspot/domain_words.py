"""The words by which the domain of a question is detected: the defaults of ``[domains]``."""

# The words of the default domain are of everyday subjects, about which people ask with the words of the others.
DOMAINS: dict[str, dict[str, list[str]]] = {
    "general-coding": {
        "triggers": [
            *("playstation", "xbox", "nintendo", "ps5", "film", "movie", "novel", "poem", "song", "music", "guitar", "actor"),
            *("hotel", "holiday", "trip", "travel", "flight", "pilot", "airport", "car", "bike", "engine", "rpm", "tyre", "train ticket"),
            *("recipe", "dinner", "drink", "cake", "bread", "restaurant", "kitchen", "garden", "furniture", "hall", "living room"),
            *("dog", "cat", "puppy", "horse", "doctor", "medicine", "muscle", "hair", "skin", "diet", "workout", "massage", "sauna"),
            *("school", "university", "exam", "degree", "wedding", "birthday", "gift", "parents", "kids", "year old", "neighbour"),
            *("bank", "loan", "tax", "insurance", "rent", "salary", "invoice", "resignation", "my cv", "law", "court", "election"),
            *("church", "cathedral", "bridge", "tower", "museum", "tomb", "palace", "sagrada", "painting", "sculpture", "fashion"),
            *("century", "war", "king", "queen", "president", "history of the", "amazon", "parcel", "ups", "fedex", "dhl", "irs"),
            *("football", "stock market", "wall street", "moon", "apollo", "planet", "weather", "climate", "shakespeare", "comedy"),
            *("odyssey", "plot", "character", "theme", "theatre", "opera", "lyrics", "tap water", "leaking tap", "spotify", "netflix"),
        ],
        "hints": [
            *("who", "whose", "city", "country", "famous", "buy", "order", "delivery", "price", "house", "room", "water", "word", "spelling", "meaning"),
            *("plural", "numpy", "pandas", "regex", "c++", "java", "rust", "sql", "awk", "python"),
        ],
    },
    "zddc-naming": {
        "triggers": [
            *("zddc", "trackingnumber", "tracking number", "revision", "revise", "status code", "statuscode", "transmittal"),
            *("ifc", "ifr", "ifa", "ifi", "ifu", "ifd", "ift", "as-built drawing", "document control", "doc control"),
            *("document controller", "document number", "doc number", "deliverable", "issued for", "purpose of issue"),
            *("submittal", "resubmit", "re-issue", "reissue", "document register", "document type", "vendor drawing"),
            r"re:(?<!\w)\d{4,8}-[a-z]{2,3}-[a-z]{2,4}-\d{3,5}(?![^\W_])",
            r"re:_~?\w{1,3}(?:\+\w\d+)? \([a-z]{3}\)",
        ],
        "hints": [
            *("rev", "drawing", "draft", "vendor", "supplier", "client", "contractor", "discipline", "superseded", "issue"),
            *("specification", "document", "file name", "filename", "title", "data sheet", "datasheet", "dwg", "spc", "name"),
            *("naming", "project number", "sheet", "archive", "separator", "status", "recipient", "comment", "letter", "sequence"),
        ],
        "except": [
            *("ifr or vfr", "vfr or ifr", "ifr flight", "ifr rating", "ifc part of", "http status code", "exit status code"),
            *("alembic revision", "locate revision", "git revision", "database revision", "down revision", "revision control"),
            *("revision history of the article", "copy per revision", "revise for", "name mangling", "draft beer", "client library"),
        ],
    },
    "html-architecture": {
        "triggers": [
            *("html", "html5", "spa", "single-file", "single-page", "es module", "es6 module", "esm", "vanilla js", "vanillajs"),
            *("vanilla javascript", "plain js", "plain javascript", "css", "stylesheet", "style sheet", "dom", "web component"),
            *("custom element", "web page", "webpage", "website", "css grid", "flexbox", "service worker", "localstorage"),
            *("sessionstorage", "indexeddb", "queryselector", "getelementbyid", "addeventlistener", "event delegation"),
            *("event listener", "innerhtml", "contenteditable", "iframe", "srcdoc", "pushstate", "popstate", "history api"),
            *("hash router", "importmap", "import map", "media query", "responsive layout", "dark mode", "aria", "aria-live"),
            *("div", "favicon", "showdirectorypicker", "file system access", "markup", "shadow dom", "semantic tag", "canvas"),
            r"re:</?(?:a|img|div|span|script|template|style|button|input|form|ul|ol|li|table|svg|dialog|details|head|body|pre)\b",
            r"re:\bfile://",
        ],
        "hints": [
            *("page", "browser", "javascript", "js", "tab", "button", "header", "footer", "menu", "layout", "click", "site"),
            *("modal", "dialog", "sidebar", "accordion", "responsive", "font", "scroll", "sticky", "lazy-load", "framework"),
            *("script tag", "module", "viewport", "back button", "form", "navigation", "drag and drop", "fragment", "blog"),
            *("label", "input field", "web app", "user interface", "image", "table", "sortable", "pure", "keyboard", "section"),
        ],
        "except": [
            *("html scraper", "html parser", "spa hotel", "spa near", "spa day", "day spa", "spa weekend", "spa treatment"),
            *("dom perignon", "bread crumb recipe", "recommend a spa", "spa resort", "spa town", "aria from", "oil on canvas"),
        ],
    },
    "build-system": {
        "triggers": [
            *("build.sh", "dist/", "template.html", "dist folder", "dist directory", "build script", "build step", "build system"),
            *("build tool", "build pipeline", "build process", "prebuilt", "rebuild", "release build", "production build", "bundle"),
            *("bundler", "minify", "unminified", "uglify", "webpack", "rollup", "esbuild", "vite", "parcel", "terser", "makefile"),
            *("make target", "gnu make", "in make", "tell make", "make -j", ".phony", "cmake", "cmakelists.txt", "ninja", "gradle"),
            *("maven", "bazel", "meson", "package.json", "pyproject.toml", "setup.py", "tree shaking", "sdist", "source map"),
            *("sourcemap", "ci pipeline", "github actions", "gitlab ci", "jenkinsfile", "jenkins", "release artifact", "transpile"),
            *("release artefact", "cross compile", "dockerfile", "docker build", "incremental build", "npm run", "cargo build"),
        ],
        "hints": [
            *("build", "built", "release", "dist", "compile", "inline", "ci", "workflow", "wheel", "job", "pipeline", "concatenate"),
            *("output", "package", "script", "artifact", "artefact", "cache", "publish", "stage", "target", "make", "template"),
            *("one file", "single file", "into one", "ship", "version", "dependencies", "chunk", "config", "tag", "directory"),
        ],
        "except": [
            *("as-built", "who built", "build or buy", "built-in", "press release", "release date", "release cycle", "build muscle"),
            *("list inline", "inline skate", "wheel of fortune", "output of this", "build a house", "build trust", "vite fait"),
        ],
    },
    "coding-debugging": {
        "triggers": [
            *("debug", "error", "fix", "console", "bug", "buggy", "exception", "traceback", "stack trace", "call stack", "backtrace"),
            *("core dump", "segfault", "segmentation fault", "crash", "panic", "goroutine", "*error", "*exception", "deadlock"),
            *("race condition", "memory leak", "valgrind", "gdb", "exit code", "out of range", "out of bounds", "null pointer"),
            *("is not a function", "is not defined", "doesn't work", "does not work", "not working", "stopped working"),
            *("no longer works", "keep getting", "no module named", "permission denied", "connection refused", "breakpoint"),
            *("unsupported operand", "can't decode", "off by one", "infinite loop", "stack overflow", "flaky", "uncaught"),
            *("unhandled", "troubleshoot", "duplicate key", "test fails", "tests fail", "what's wrong", "what is wrong", "nonetype"),
            *("partially initialized", "invalid read", "100% cpu", "econnrefused", "cors", "throws", "throwing", "undefined is not"),
            *("enoent", "eaddrinuse", "eacces", "etimedout", "sigsegv", "sigkill", "sigabrt", "unexpected token", "re-render"),
        ],
        "hints": [
            *("wrong", "why does", "why is", "why do", "why", "fail", "failure", "throw", "hang", "freeze", "leak", "undefined"),
            *("unexpected", "invalid", "expected", "instead of", "empty", "null", "nan", "says", "prints", "but", "stuck", "got"),
            *("suddenly", "blocked", "rejected", "refused", "garbage", "repeats", "twice", "my code", "my program", "my function"),
            *("my script", "my query", "my test", "my loop", "my app", "my container", "cannot", "can't", "doesn't", "regression"),
            *("bisect", "reproduce", "oom", "killed", "500", "404", "incident", "never", "no longer", "missing", "broken", "third"),
        ],
        "except": [
            *("margin of error", "margins of error", "trial and error", "standard error", "square error", "squared error"),
            *("comedy of errors", "absolute error", "error bar", "error handling", "error text", "error page", "type i error"),
            *("has an error", "playstation console", "game console", "games console", "gaming console", "console table"),
            *("old console", "console game", "fix me a", "fix dinner", "fixed price", "fixed income", "position fixed", "fix at"),
            *("fixed in css", "fix the version", "exception to", "with the exception of", "market crash", "crash of 1929"),
            *("crash course", "car crash", "heart failure", "expected value", "point of failure", "word debugging", "throw away"),
            *("bug bite", "panic attack", "hang out", "attachment: fixed", "position: fixed", "fix the esbuild version", "error log"),
        ],
    },
    "reasoning-architecture": {
        "triggers": [
            *("reason", "analyze", "analysis", "architecture", "architect", "design", "trade-off", "tradeoff", "pros and cons"),
            *("microservice", "monolith", "monorepo", "event sourcing", "cqrs", "serverless", "scalability", "cap theorem"),
            *("eventual consistency", "single point of failure", "multi-tenant", "message queue", "rate limiting", "sharding"),
            *("load balancer", "event-driven", "message broker", "should we", "sql or nosql", "nosql", "build or buy", "upsides"),
            *("downsides", "which would you", "would you choose", "would you pick", "is it worth", "worth introducing"),
            *("failure mode", "what could go wrong", "better structure", "optimistic locking", "pessimistic locking", "roadmap"),
            *("domain layer", "advantages and disadvantages", "bounded context", "many repos", "coupling", "decouple"),
        ],
        "hints": [
            *("compare", "plan", "migrate", "migration", "service", "queue", "kafka", "rabbitmq", "redis", "postgres", "database"),
            *("team", "system", "scale", "decide", "weigh", "evaluate", "option", "approach", "strategy", "structure", "risk"),
            *("requirement", "choice", "good choice", "good enough", "would you", "what would you", "how would you", "rest", "graphql"),
            *("api", "sync", "async", "locking", "availability", "consistency", "replication", "boundaries", "layer", "layered"),
            *("customer", "tenant", "per customer", "should", "where should", "sensible", "alternatives", "consequences", "cluster"),
            *("prefer", "versus", "step by step", "prove", "split", "modular", "stateless", "live", "phased", "sourcing", "event"),
        ],
        "except": [
            *("for some reason", "for no reason", "for whatever reason", "within reason", "interior design", "interior architecture"),
            *("sound design", "fashion design", "graphic design", "responsive design", "design of the", "architecture of the"),
            *("redesign of", "service worker", "analysis of kafka", "gave no reasons", "customer service", "rest of", "the rest"),
            *("service account", "live stream"),
        ],
    },
}
