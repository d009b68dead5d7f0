"""Names the program that a request comes from, by its User-Agent."""

# The first that occurs in the header counts: many agents are built on an SDK and keep its name behind their own.
_CLIENTS = (
    ("claude-cli", "Claude Code"),
    ("claude-code", "Claude Code"),
    ("opencode", "opencode"),
    ("cline", "Cline"),
    ("roo", "Roo Code"),
    ("kilo", "Kilo Code"),
    ("codex", "Codex"),
    ("aider", "Aider"),
    ("litellm", "LiteLLM"),
    ("copilot", "Copilot"),
    ("continue", "Continue"),
    ("cursor", "Cursor"),
    ("zed", "Zed"),
    ("goose", "Goose"),
    ("openhands", "OpenHands"),
    ("open-webui", "Open WebUI"),
    ("open webui", "Open WebUI"),
    ("librechat", "LibreChat"),
    ("qwen", "Qwen Code"),
    ("jan", "Jan"),
    ("ai-sdk", "AI SDK"),
    ("anthropic", "Anthropic SDK"),
    ("openai", "OpenAI SDK"),
    ("curl", "curl"),
)
OTHER = "other"


def client_name(user_agent: str) -> str:
    """Return the name of the program behind a User-Agent, one of a few; ``other`` for one that is not known."""
    words = user_agent.lower()
    return next((name for mark, name in _CLIENTS if mark in words), OTHER)
