"""Who may what, written a second time in another way: from the root down, on plain values, without any of our code.

A tree is the rule file of each folder, as the values of its YAML; a folder is a tuple of names, a text a broken file.
"""


def allowed(tree, folder, email, verb):
    """Whether the person of an address, None without one, may read ("r") or hand in ("c") in a folder."""
    roles, verdict, is_incoming = {}, False, False
    for depth in range(len(folder) + 1):
        is_incoming |= depth > 0 and folder[depth - 1].lower() == "incoming"
        file = tree.get(folder[:depth], {})
        if isinstance(file, str) or ("admins" in file and depth):
            return False
        acl = file.get("acl", {})
        if acl.get("inherit") is False:
            roles, verdict = {}, False
        for name, members in file.get("roles", {}).items():
            roles[name.lower()] = roles.get(name.lower(), []) + members
        deny, allow, permissions = (acl.get(key, []) for key in ("deny", "allow", "permissions"))
        if any(
            is_role(one) and one.lower() not in roles for one in (*deny, *allow, *permissions, *file.get("admins", ()))
        ):
            return False
        given = ["r" for one in allow if names(one, email, roles)]
        given += [permissions[one] for one in permissions if names(one, email, roles)]
        if given:
            verdict = verb in "".join(given)
        if any(names(one, email, roles) for one in deny):
            verdict = False
    return verdict and (verb == "r" or is_incoming)


def is_role(pattern):
    return "@" not in pattern and pattern not in ("*", "anonymous")


def names(pattern, email, roles):
    """Whether a pattern names a person."""
    if is_role(pattern):
        return any(names(member, email, roles) for member in roles[pattern.lower()])
    if email is None or pattern in ("*", "anonymous"):
        return pattern == ("*" if email else "anonymous")
    return fits(pattern.lower(), email.lower())


def fits(pattern, text):
    """Whether a text has the form of a pattern, character by character."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return fits(pattern[1:], text) or (text[:1] not in ("", "@") and fits(pattern, text[1:]))
    return (
        bool(text) and (pattern[0] == text[0] or (pattern[0] == "?" and text[0] != "@")) and fits(pattern[1:], text[1:])
    )
