"""The words by which the domain of a question is detected: the defaults of ``[domains]``."""

from weakspot.vocabulary.wishes import words

DEFAULT = "general-coding"
# The words of the default domain are of everyday subjects, about which people ask with the words of the others.
DOMAINS: dict[str, dict[str, list[str]]] = {
    DEFAULT: {
        "triggers": words(
            """
            playstation, xbox, nintendo, ps5, film, movie, novel, poem, song, music, guitar, actor, hotel, holiday,
            trip, travel, flight, pilot, airport, car, bike, engine, rpm, tyre, train ticket, recipe, dinner, drink,
            cake, bread, restaurant, kitchen, garden, furniture, hall, living room, dog, puppy, horse, doctor,
            medicine, muscle, hair, skin, diet, workout, massage, sauna, school, university, exam, degree, wedding,
            birthday, gift, parents, kids, year old, neighbour, bank, loan, tax, insurance, rent, salary, invoice,
            resignation, my cv, law, court, election, church, cathedral, bridge, tower, museum, tomb, palace,
            sagrada, painting, sculpture, fashion, century, war, king, queen, president, history of the, amazon,
            parcel, ups, fedex, dhl, irs, football, stock market, wall street, moon, apollo, planet, weather,
            climate, shakespeare, comedy, odyssey, plot, character, theme, theatre, opera, lyrics, tap water,
            leaking tap, spotify, netflix, fridge, oven, sink, toilet, boiler, washing machine, roof, fence, lawn,
            plant, flower, bed, sleep, dress, shoes, jewellery, nail, tattoo, make-up, perfume, wine, beer, coffee,
            tea, pizza, cheese, soup, sauce, chess, tennis, olympics, world cup, marathon, yoga, swimming pool,
            plane, ship, titanic, bus driver, brakes, driving licence, visa, passport, embassy, beach, island,
            mountain, river, ocean, paris, london, rome, vienna, munich, italy, france, spain, europe, minister,
            government, parliament, constitution, politics, economy, recession, inflation, philosophy, kant,
            religion, bible, latin, etymology, mother, father, brother, sister, husband, wife, child, surgery, hip,
            knee, blood, tooth, headache, stomach, dream, insect, spider, bedbug, mosquito, album, band, concert,
            dance, sonata, symphony, sitcom, series finale, celebrity, 1929, caravan, my cat, the cat, kitten,
            mortgage, in transit, opening hours, sunday, christian, statistics lecture
            """
        ),
        "hints": words(
            """
            who, whose, city, country, famous, buy, order, delivery, price, house, room, water, word, spelling,
            meaning, plural, write a, difference between, friend, game, story, essay, camera, photo, english,
            french, people, summary, travelling, cost of, money, shop, market, rule, grammar, chapter, book, author
            """
        ),
    },
    "zddc-naming": {
        "triggers": words(
            r"""
            zddc, trackingnumber, tracking number, revision, revise, status code, statuscode, transmittal, ifc, ifr,
            ifa, ifi, ifu, ifd, ift, as-built drawing, document control, doc control, document controller,
            document number, doc number, deliverable, issued for, purpose of issue, submittal, resubmit, re-issue,
            reissue, document register, document type, vendor drawing, as-built, title block, afc, ifb, rev a,
            rev b, rev c, rev 0, rev 1, mdr, piping isometric, p&id,
            re:\d(?<!\w\d)\d{3,7}-[a-z]{2,3}-[a-z]{2,4}-\d{3,5}(?![^\W_]), re:_~?\w{1,3}(?:\+\w\d+)? \([a-z]{3}\),
            re:~(?<![\w/~]~)[a-z\d](?![\w/])
            """
        ),
        "hints": words(
            """
            rev, drawing, draft, vendor, supplier, client, contractor, discipline, superseded, issue, specification,
            document, file name, filename, title, data sheet, datasheet, dwg, spc, name, naming, project number,
            sheet, archive, separator, status, recipient, comment, letter, sequence
            """
        ),
        "except": words(
            r"""
            ifr or vfr, vfr or ifr, ifr flight, ifr rating, ifc part of, http status code, exit status code,
            alembic revision, git revision, database revision, down revision, revision control, copy per revision,
            draft beer, client library, re:status code \d{3}, response status code, redirect status code,
            dhl tracking number, ups tracking number, parcel tracking number, order tracking number,
            shipment tracking number, tracking number of my, locate revision
            """
        ),
    },
    "html-architecture": {
        "triggers": words(
            r"""
            html, html5, spa, single-file, single-page, es module, es6 module, esm, vanilla js, vanillajs,
            vanilla javascript, plain js, plain javascript, css, stylesheet, style sheet, dom, web component,
            custom element, web page, webpage, website, css grid, flexbox, service worker, localstorage,
            sessionstorage, indexeddb, queryselector, getelementbyid, addeventlistener, event delegation,
            event listener, innerhtml, contenteditable, iframe, srcdoc, pushstate, popstate, history api,
            hash router, importmap, import map, media query, responsive layout, dark mode, aria, aria-live, div,
            favicon, showdirectorypicker, file system access, markup, shadow dom, semantic tag, canvas, z-index,
            index.html, progressive web app, pwa, web worker, tabindex, preventdefault, onclick, alt text, meta tag,
            css transition, css animation, data attribute, shadow root, progressive enhancement, noscript,
            web storage, blob url, screen reader, html tag, html element, css class, grid layout, flex,
            re:</?(?:a|img|div|span|script|template|style|button|input|form|ul|ol|li|table|svg|dialog|details|head|body|pre)\b,
            re:\bfile://
            """
        ),
        "hints": words(
            """
            page, browser, javascript, js, tab, button, header, footer, menu, layout, click, site, modal, dialog,
            sidebar, accordion, responsive, font, scroll, sticky, lazy-load, framework, script tag, module,
            viewport, back button, form, navigation, drag and drop, fragment, blog, input field, web app,
            user interface, sortable, pure, keyboard, checkbox, dropdown, tooltip, carousel, hover, animation,
            overflow, placeholder, svg, cookie, accessibility, screen reader, landing page, clipboard, file input,
            user settings, offline, client-side, popup, panel, hero image, element, section, view
            """
        ),
        "except": words(
            """
            html scraper, html parser, spa hotel, spa near, spa day, day spa, spa weekend, spa treatment,
            dom perignon, recommend a spa, spa resort, spa town, aria from, oil on canvas, kölner dom, the dom of,
            berliner dom
            """
        ),
    },
    "build-system": {
        "triggers": words(
            """
            build.sh, dist/, template.html, dist folder, dist directory, build script, build step, build system,
            build tool, build pipeline, build process, prebuilt, rebuild, release build, production build, bundle,
            bundler, minify, unminified, uglify, webpack, rollup, esbuild, vite, parcel, terser, makefile,
            make target, gnu make, in make, tell make, make -j, .phony, cmake, cmakelists.txt, ninja, gradle, maven,
            bazel, meson, package.json, pyproject.toml, setup.py, tree shaking, sdist, source map, sourcemap,
            ci pipeline, github actions, gitlab ci, jenkinsfile, jenkins, release artifact, transpile,
            release artefact, cross compile, dockerfile, docker build, incremental build, npm run, cargo build,
            docker image, multi-stage, build cache, build matrix, build server, build number, nightly build,
            build time, static library, shared library, linker, compiler flag, tarball, lockfile, babel, automake,
            autotools, configure script, msbuild, setuptools, poetry, reproducible build, version stamp,
            build output, npm, the build, build only
            """
        ),
        "hints": words(
            """
            build, built, release, dist, compile, inline, ci, workflow, wheel, job, pipeline, concatenate, output,
            package, script, artifact, artefact, cache, publish, target, one file, single file, into one, ship,
            dependencies, chunk, config, installer, zip, changelog, deploy, cargo, tsc, sass, executable, binary,
            partial, git hash, stylesheet, base64, watch, sh, production, template, stage, tag, version, make
            """
        ),
        "except": words(
            """
            as-built, who built, build or buy, built-in, press release, release date, release cycle, build muscle,
            inline skate, wheel of fortune, build a house, build trust, build a fire
            """
        ),
    },
    "coding-debugging": {
        "triggers": words(
            """
            debug, error, fix, console, bug, buggy, exception, traceback, stack trace, call stack, backtrace,
            core dump, segfault, segmentation fault, crash, panic, goroutine, *error, *exception, deadlock,
            race condition, memory leak, valgrind, gdb, exit code, out of range, out of bounds, null pointer,
            is not a function, is not defined, doesn't work, does not work, not working, stopped working,
            no longer works, keep getting, no module named, permission denied, connection refused, breakpoint,
            unsupported operand, can't decode, off by one, infinite loop, stack overflow, flaky, uncaught,
            unhandled, troubleshoot, duplicate key, test fails, tests fail, what's wrong, what is wrong, nonetype,
            partially initialized, invalid read, 100% cpu, econnrefused, cors, throws, throwing, undefined is not,
            undefined reference, undefined symbol, command not found, no such file, could not, failed to, unable to,
            module not found, cannot find, wrong result, wrong output, wrong answer, timed out, exited with,
            doesn't compile, won't compile, won't start, blank page, nothing happens, stops working, log says,
            returns none, returns null, returns undefined, returns nothing, double free, use after free, root cause,
            assertion, stack smashing, heap corruption, rejected, misbehave, malfunction, does nothing, code 1,
            enoent, eaddrinuse, eacces, etimedout, sigsegv, sigkill, sigabrt, unexpected token, re-render,
            cannot read, cannot set, blank screen, white screen, worked yesterday, used to work, in the logs,
            nothing in the log
            """
        ),
        "hints": words(
            """
            wrong, why does, why is, why do, fail, failure, throw, hang, freeze, leak, undefined, unexpected,
            invalid, expected, instead of, empty, null, nan, says, prints, stuck, suddenly, blocked, rejected,
            refused, garbage, repeats, my code, my program, my function, my script, my query, my test, my loop,
            my app, my container, cannot, doesn't, regression, bisect, reproduce, oom, killed, 500, 404, incident,
            no longer, broken, warning, timeout, corrupt, incorrect, mismatch, stale, i get, and get, it says,
            locally, on my machine, only in production, after the upgrade, since the upgrade, anymore, any more,
            got, missing, twice, third
            """
        ),
        "except": words(
            """
            margin of error, margins of error, trial and error, standard error, square error, squared error,
            comedy of errors, absolute error, error bar, error handling, error text, error page, type i error,
            has an error, playstation console, game console, games console, gaming console, console table,
            old console, console game, fix me a, fix dinner, fixed price, fixed income, position fixed, fix at,
            fixed in css, fix the version, exception to, with the exception of, market crash, car crash,
            crash course, heart failure, expected value, point of failure, word debugging, throw away, bug bite,
            panic attack, hang out, attachment: fixed, position: fixed, error log, human error, rounding error,
            error of judgement, in error, error correction, pilot error, error function, mixing console, console a,
            to the console, console.writeline, console application, console app, ps5 console, bed bug, stink bug,
            bug spray, bug's life, bug bounty, plane crash, crash diet, crash test, crash landing,
            exception to the rule, make an exception, custom exception, own exception, exception class,
            stock market crash, fixed width, fixed size, fixed length, fixed point, fixed number, fixed term,
            price fixing, fix a date, panic room, class error, the word bug, the word debug, forecast error,
            mean error, prediction error, fixed rate, fixed cost, fixed deposit, type ii error, console program,
            console window, console project
            """
        ),
    },
    "reasoning-architecture": {
        "triggers": words(
            """
            reason, analyze, analysis, architecture, architect, design, trade-off, tradeoff, pros and cons,
            microservice, monolith, monorepo, event sourcing, cqrs, serverless, scalability, cap theorem,
            eventual consistency, single point of failure, multi-tenant, message queue, rate limiting, sharding,
            load balancer, event-driven, message broker, should we, sql or nosql, nosql, build or buy, upsides,
            downsides, which would you, would you choose, would you pick, is it worth, worth introducing,
            failure mode, what could go wrong, better structure, optimistic locking, pessimistic locking, roadmap,
            domain layer, advantages and disadvantages, bounded context, many repos, coupling, decouple,
            does it make sense, would it be better, good idea, for and against, technical debt,
            rewrite from scratch, idempotent, backpressure, saga, hexagonal, api gateway, high availability,
            leader election, bottleneck, polling or, push or pull, think through, vendor lock-in, cost-benefit,
            decision record, failover, architectural, monolithic, redesign, weigh up
            """
        ),
        "hints": words(
            """
            compare, migrate, migration, service, queue, kafka, rabbitmq, redis, postgres, database, team, system,
            scale, weigh, evaluate, approach, strategy, risk, requirement, choice, good choice, good enough,
            would you, what would you, how would you, rest, graphql, api, sync, async, locking, availability,
            consistency, replication, boundaries, layer, layered, customer, tenant, per customer, where should,
            sensible, alternatives, consequences, cluster, prefer, versus, split, modular, stateless, phased,
            sourcing, throughput, latency, cloud, on-premise, webhook, websocket, shared, schema, responsibility,
            module boundary, plan, structure, decide, option, separate, event, state, step by step, backend,
            business rule
            """
        ),
        "except": words(
            """
            for some reason, for no reason, for whatever reason, within reason, interior design,
            interior architecture, sound design, fashion design, graphic design, responsive design, design of the,
            architecture of the, service worker, gave no reasons, customer service, rest of, the rest,
            reasons to visit, reason for, reason why, by reason of, age of reason, nail design, logo design,
            designer bag, designer clothes, dress design, blood analysis, analysis of the novel,
            analysis of the poem, plan b, design of a dress, service account, redesign of the,
            architectural style of
            """
        ),
    },
}
