"""The words with which people ask for an expert, by language: the defaults of ``[escalation.languages]``."""

import re


def words(text: str) -> list[str]:
    """Return the words of a text, which a comma and white space stand between; " ," is a comma of the words."""
    return re.split("(?<! ), ", " ".join(text.split()))


LANGUAGES: dict[str, dict[str, list[str]]] = {
    "en": {
        "phrases": words(
            """
            consult/check/confer/speak/talk with {teacher},
            check/discuss/verify/double-check/clarify {this} with {teacher},
            query/involve/summon/ping/contact {teacher}, call/bring/loop/pull/get in {teacher},
            call/bring/loop/pull/get {teacher} in, use/try {teacher} on/for {this}, get/put {teacher} on/to {this},
            get/have {teacher} involved, get {teacher} here, escalate/talk/speak to {teacher},
            escalate/forward/send/give/hand/pass/show/refer/delegate {this} to {teacher},
            hand/pass {this} over/on to {teacher}, hand over to {teacher},
            retry/redo/regenerate/rerun with {teacher}, try again with {teacher},
            try/redo/retry/solve/answer/do {this} with {teacher}, switch to {teacher} for/on {this},
            defer/turn to {teacher}, reach out to {teacher}, get {teacher}'s eyes on {this},
            run/put {this} by/past/to {teacher},
            let/have {teacher} answer/check/decide/try/look/help/solve/handle/review/verify/see/fix/double-check,
            let/have {teacher} do/explain/finish {this}, let/have {teacher} have/take a look/go/try/shot,
            let {teacher} take over, get {teacher} to answer/check/decide/look/help/solve/review/verify/fix,
            get {teacher} to have/take a look, i want/need {teacher} to answer/check/look/solve/review/verify/see,
            i want/need {teacher} to have/take a look, can/could {teacher} check/look/review/verify,
            can/could {teacher} have/take a look, see/hear what {teacher} says/thinks,
            what does {teacher} say/think, what would {teacher} say, hear {teacher},
            get/have/hear/want/need/request {teacher}'s opinion/view/take/answer/advice/help/input/thoughts,
            i/i'd want/need/like {teacher}'s opinion/view/take/answer/advice/help/input/thoughts,
            i would like {teacher}'s opinion/view/take/answer/advice/help/input/thoughts,
            ask for {teacher}'s opinion/view/take/answer/advice/help/input/thoughts,
            get {teacher} opinion/advice/help, get/want/need help/advice from {teacher},
            get/have/want/need/like an opinion/answer from {teacher}, i want/need/i'd help/advice from {teacher},
            i want/need an opinion/answer from {teacher},
            get/have/want/need/request a second opinion from {teacher},
            i want/need/i'd a second opinion from {teacher}, i'd like a second opinion from {teacher},
            i'd like an opinion/answer from {teacher}, ask for help/advice from {teacher},
            ask for a second opinion from {teacher}, would/do you mind asking/consulting {teacher},
            would/do you mind checking with {teacher}, how/what about asking/consulting {teacher},
            try/suggest asking/consulting {teacher}, time for {teacher}, over to {teacher},
            get/call/phone/page {teacher}, go/turn to {teacher}, bump/push/kick/move {this} to/over {teacher},
            bump/push/kick {this} up to {teacher}, use/try/take {teacher} instead/please/pls,
            would/do you mind running {this} by/past {teacher}, how/what about running {this} by/past {teacher},
            i'd like/love to know/hear from {teacher}, i want/need to know/hear from {teacher},
            i would like to know/hear from {teacher}, {teacher} please/pls/plz, {teacher} , please/pls/plz
            """
        ),
        "expert": words("expert, expert model, bigger model, stronger model, smarter model, big model"),
        "articles": words("teh, the, an, a, your, my, our, that, the new, the latest, the big, the other"),
        "before": words(
            """
            please, pls, plz, plea, kindly, ok, okay, okey, k, kk, right, alright, all right, fine, good, great,
            perfect, nice, cool, well, hm, hmm, hmmm, mhm, uh, ah, oh, yes, yea, yeah, yep, yup, y, ja, sure,
            of course, certainly, absolutely, no, nah, nope, agreed, exactly, correct, indeed, true, sounds good,
            good idea, good plan, now, then, so, and, but, just, simply, maybe, perhaps, rather, better, instead,
            let's, lets, let us, can you, could you, would you, will you, can we, could we, can u, could u,
            why don't you, why don't we, why not, you can, you may, you could, you should, you'd better, you better,
            go ahead and, go ahead, go on, go on and, go and, go, come on, do it, do that, do so, yes do,
            let's do that, let's do it, feel free to, i think it's time to, i think it is time to, it's time to,
            time to, i think you should, i think we should, we should, we'd better, i want you to, i'd like you to,
            i would like you to, i need you to, i'd like to, i would like to, i want to, i'd love to, i'd rather,
            i need to, i'd prefer to, i suggest we, i suggest you, i'd say, i say, i suggest, we need to, thanks,
            thank you, thx, sorry, hey, hi, hello, in that case, this time, for this one, be so kind and,
            be so good as to, would you be so kind as to, actually, also, anyway, next, whatever, never mind,
            seriously, really, honestly, as i said, like i said, once more, again, i give up, enough, no idea,
            wrong, nonsense, useless, by all means, if possible, quickly, could you please go and, you know what,
            for this
            """
        ),
        "after": words(
            """
            please, pls, plz, thanks, thank you, thx, ty, cheers, now, again, then, instead, first, too, as well,
            also, right now, right away, at once, immediately, directly, quickly, this time, after all, take a look,
            have a look, once more, one more time, for me, for us, for help, for advice, for an answer,
            for an opinion, for its opinion, for a second opinion, for assistance, here, asap, to be sure,
            just to be sure, to be safe, just in case, if you can, if possible, if you don't mind, will you,
            would you, could you, can you, ok, okay, alright, right, yes, your turn, anyway, already,
            before we go on, before we continue, before you go on, before you continue, before going on, rather,
            on your behalf, on my behalf, to it, at it, at this, at that, of this, of that, of it,
            from the beginning, to look at it, to look at this, to have a look, to take a look, to help, to answer,
            to answer it, to answer this, to answer that, to check
            """
        ),
        "fillers": words("please, just, maybe, now, quickly, also, kindly, simply, pls"),
        "about": words("about, on, with, for, regarding, concerning, to, of, over, at, in"),
        "this": words(
            """
            this, that, it, these, those, them, this one, that one, my question, the question, this question,
            that question, the last question, the previous question, my last question, my previous question,
            the first question, the same question, this problem, that problem, the problem, this issue, the issue,
            this error, that error, the error, this bug, the bug, this task, the task, this answer, that answer,
            your answer, the answer, the last answer, this code, the code, this topic, this point, that point,
            this matter, the matter, the same, the above, the last one, the previous one, the first one, this thing,
            this case, here
            """
        ),
        "links": words(
            """
            to, for, whether, how, what, why, which, where, who, about, what's, who's, when to, when is, when does,
            if there is, if there's, if there are, if this is, if that is, if that's, if it's possible, if it is,
            if you are right, if your, if one can, because, since, before we, but, and
            """
        ),
        "questions": words(
            """
            how, what, what's, why, which, where, who, whose, when, is, are, does, do, can, could, should, would,
            will, has, have, did, was, were, am, isn't, whether, how do you, how would you, how can you,
            what would you, what do you call, would you, can you, could you, at what, in which, in what, for what,
            from which, on which, if
            """
        ),
        "requests": words(
            """
            different thing, something else, new topic, new problem, another topic, another thing, write, explain,
            give me, show me, tell me, create, implement, build, generate, translate, list, compare, convert,
            calculate, compute, describe, draft, draw, summarise, summarize, design, name, define, prove, derive,
            plan, i need a, i need an, i want a, make me, write me, new question, another question, next question,
            different question, help me
            """
        ),
        "ordinary": words(
            """
            me, us, you, it, them, him, her, someone, somebody, people, everyone, anyone, user, users, help, docs,
            documentation, manual, google, support, team, git, database, server, client, admin, local, fast, best,
            big, small, large, main, model, assistant, agent, bot, boss, colleague, friend, developer, developers,
            customer, tests, code, data, test, review, reviewers, god, yourself, others, everybody, nobody,
            permission, questions, advice
            """
        ),
        "back": words(
            """
            your, yours, still, again, instead, better, shorter, longer, simpler, faster, cleaner, above, previous,
            another, other, different, you, you're, second opinion, opinion, same, last, properly, correctly, right,
            correct, wrong, help, advice, result, answer
            """
        ),
        "conditions": words(
            """
            should the, should it, should this, should that, should there, were the, were it, had the, if, unless,
            when, whenever, once, until, in case, in future, in the future, as soon as, later, tomorrow, tonight,
            next time, next week, only, after, before, every time, while, says, said, say, typed, types, told,
            tells, wrote, writes, reads, thinks, suggested, suggests, tomorrow's, on monday, on tuesday,
            on wednesday, on thursday, on friday, whether, otherwise, first run, first fix, first do, first finish,
            first make, first check, first try, first commit, always, every, usually, as a rule, in such cases,
            in such a case, for questions, for hard, step, except, not now, not yet, or, just kidding, kidding,
            eventually
            """
        ),
        "withdrawals": words(
            """
            no, nope, never mind, nevermind, forget it, just kidding, kidding, wait, or not, rather not, not really
            """
        ),
        "quoting": words(
            """
            translate, rewrite, rephrase, reword, proofread, paraphrase, format, reformat, spell, slogan, sentence,
            passage, paragraph, phrase, wording, label, tooltip, caption, heading, button, menu, entries,
            transcript, dialogue, commit message, changelog, checklist, headline, buttons, labels, phrases,
            commands, sentences, options, texts, titled, named, called, yaml, json, toml, regex, string, strings,
            test case, story, poem, lyrics, letter
            """
        ),
        "refusals": words(
            """
            don't, do not, dont, not, no, never, without, stop, avoid, instead of, rather than, asked, consulted,
            asks, consults, i, when, if, they, he, she, did, does, was, should, were, users, user, whenever, unless,
            after, later, tomorrow, yesterday, whether, implement, add, write, rename, refactor, make, create,
            fixture, function, test, forget
            """
        ),
    },
    "de": {
        "phrases": words(
            """
            {teacher} fragst/befragst/konsultierst/hinzuziehst/fragt/befragt,
            frag/frage/fragt/befrag/befrage/konsultier/konsultiere {teacher},
            fragen/befragen/konsultieren wir/sie {teacher},
            {teacher} fragen/befragen/konsultieren/hinzuziehen/dazuholen/einschalten, frag/frage bei {teacher} nach,
            bei {teacher} nachfragen, zieh/ziehe {teacher} zu rate, zieh/ziehe {teacher} zurate/hinzu/heran,
            {teacher} zu rate ziehen, {teacher} zurate ziehen, hol/hole {teacher} dazu/ran/hinzu,
            hol/hole dir {teacher} dazu, hol/hole dir rat/hilfe bei/beim/von/vom {teacher}, {teacher} bitte,
            nimm/nehmt {teacher} dafür/dazu/hierfür, hol/hole {teacher}, ruf/rufe {teacher},
            frag/frage beim/bei {teacher}, frag/frage beim/bei {teacher} nach,
            hol/hole dir eine/die zweite meinung von {teacher}, hol/hole eine/die zweite meinung von {teacher},
            hol/hole dir die meinung von {teacher}, hol/hole die meinung von {teacher} ein,
            eine zweite meinung von {teacher},
            lass {teacher} ran/antworten/nachsehen/helfen/entscheiden/drüberschauen/drübersehen/draufschauen,
            lass {teacher} drüber/drauf schauen/sehen,
            lass {teacher} {this} beantworten/prüfen/machen/lösen/anschauen/ansehen/entscheiden/klären,
            lass {this} {teacher} beantworten/prüfen/machen/lösen/anschauen/ansehen/entscheiden/klären,
            lass {this} von {teacher} beantworten/prüfen/machen/lösen/anschauen/ansehen/entscheiden/klären,
            gib/geben/leite/reich/reiche {this} an {teacher} weiter,
            gib/schick/schicke/sende/eskalier/eskaliere/übergib {this} an {teacher},
            gib/leg/schick/zeig/zeige/übergib {this} {teacher}, leg/lege {this} {teacher} vor,
            {this} an {teacher} weitergeben/weiterleiten/geben/übergeben, {this} {teacher} vorlegen/zeigen/geben,
            eskalier/eskaliere an/zu {teacher}, an {teacher} eskalieren/weitergeben/weiterleiten/übergeben,
            klär/kläre/besprich/prüf/prüfe {this} mit {teacher}, sprich/rede mit {teacher}, wende dich an {teacher},
            schalt/schalte {teacher} ein, bitte {teacher} um rat/hilfe,
            bitte {teacher} um eine antwort/meinung/einschätzung, {teacher} um rat/hilfe fragen/bitten,
            frag/frage {teacher} um rat/hilfe, was sagt/meint {teacher}, was sagt/meint denn {teacher},
            ich will/möchte/brauche die meinung/antwort von {teacher},
            ich will/möchte/brauche eine antwort/einschätzung von {teacher},
            ich hätte gern/gerne die/eine meinung/antwort/einschätzung von {teacher},
            ich hätte gern/gerne eine zweite meinung von {teacher},
            {teacher} soll ran/antworten/nachsehen/helfen/entscheiden/drüberschauen/draufschauen,
            {teacher} soll {this} beantworten/prüfen/machen/lösen/anschauen/ansehen/entscheiden/klären,
            das soll {teacher} beantworten/prüfen/machen/lösen/anschauen/ansehen/entscheiden/klären
            """
        ),
        "expert": words(
            """
            experten, expertin, experte, expertenmodell, größere modell, stärkere modell, große modell
            """
        ),
        "articles": words("den, der, die, das, dem, einen, eine, einem, deinen, deine, deinem, unseren, meinen"),
        "before": words(
            """
            dass du, ich möchte gern, bitte, ja, jo, jep, jawohl, gern, gerne, klar, genau, ok, okay, gut, na gut,
            nagut, also gut, alles klar, einverstanden, nein, nee, ne, hm, hmm, falsch, dann, also, jetzt, nun, und,
            aber, doch, nur, einfach, lieber, vielleicht, mal, kannst du, könntest du, würdest du, magst du,
            willst du, können sie, könnten sie, würden sie, können wir, könnten wir, wollen wir, lass uns,
            lasst uns, lass mal, mach das, mach nur, nur zu, los, komm, danke, ich möchte, ich will, ich würde gern,
            ich würde gerne, ich würde, du sollst, du kannst, du könntest, du solltest, wir sollten, sei so gut und,
            sei so nett und, es ist zeit, stimmt, richtig, super, hallo, hey, dazu, dazu bitte, hierzu, diesmal,
            in dem fall, unbedingt, ich glaube wir sollten
            """
        ),
        "after": words(
            """
            bitte, danke, jetzt, nochmal, noch einmal, noch mal, mal, doch, dazu, hierzu, danach, dann, lieber,
            stattdessen, zuerst, erst, diesmal, für mich, sicherheitshalber, zur sicherheit, um rat, um hilfe,
            nach rat, sofort, gleich, einfach, auch, darüber, darum, danke schön, vielen dank,
            bevor wir weitermachen, ok, ja, nach seiner meinung, nach ihrer meinung, nach einer lösung
            """
        ),
        "fillers": words(
            """
            mal, doch, bitte, lieber, jetzt, einfach, nochmal, noch einmal, dazu, auch, eben, halt, schnell
            """
        ),
        "about": words("zu, dazu, nach, über, wegen, bei, was"),
        "this": words(
            """
            das, dies, es, dieses, diese, diesen, dem, diesem, diese frage, die frage, meine frage, dieser frage,
            der frage, meiner frage, die letzte frage, das problem, dieses problem, den fehler, diesen fehler,
            die aufgabe, diese aufgabe, deine antwort, die antwort, das hier, die sache
            """
        ),
        "links": words(
            """
            wie, was, warum, wieso, weshalb, welche, welcher, welches, welchen, wo, wer, wann, ob, nach, woran,
            womit, wodurch, wofür, wozu, worin, weil, denn, aber, und, wie man
            """
        ),
        "questions": words(
            """
            wie, was, warum, kannst, könntest, würdest, können, könnten, wollen, magst, wieso, weshalb, welche,
            welcher, welches, welchen, welchem, wo, wer, wann, ob, woran, womit, wodurch, wofür, wozu, worin, ist,
            sind, kann, gibt es, darf, soll, sollte, hat, haben, muss, in welcher, in welchem, mit welchem, ab wann,
            lässt sich
            """
        ),
        "requests": words(
            """
            andere sache, neues thema, neues problem, etwas anderes, schreib, schreibe, erkläre, erklär, zeig mir,
            zeige mir, nenne, gib mir, erstelle, erzeuge, vergleiche, übersetze, berechne, beschreibe, neue frage,
            andere frage, nächste frage, ich brauche
            """
        ),
        "ordinary": words(
            """
            mich, uns, dich, ihn, sie, es, ihm, ihr, jemanden, leute, nutzer, benutzer, hilfe, rat, nach, kollegen,
            team, kunden, arzt, chef, das, modell, alle, niemanden
            """
        ),
        "back": words(
            """
            dein, deine, deinen, deiner, noch, immer noch, wieder, besser, bessere, kürzer, andere, du, oben,
            nochmal, richtig, falsch, meinung, rat, hilfe, zusätzliche, dir, anders
            """
        ),
        "conditions": words(
            """
            sollte das, sollte der, sollte die, sollte es, wenn, falls, sobald, sofern, später, morgen, bevor,
            nachdem, künftig, nächstes mal, nur, sagt, sagte, meint, schreibt, steht, außer, sonst, oder, wird, als
            """
        ),
        "withdrawals": words("nein, nee, doch nicht, lieber nicht, ach nein, vergiss es, warte, oder nicht, egal"),
        "quoting": words(
            """
            übersetze, übersetz, satz, formuliere, knopf, beschrifte, text, überschrift, gedicht, menü
            """
        ),
        "refusals": words(
            """
            nicht, kein, keinen, ohne, nie, hör auf, gefragt, soll ich, wenn, falls, morgen, später, ich, warum,
            schreib, sammeln, besser, kostet, passiert
            """
        ),
    },
}
