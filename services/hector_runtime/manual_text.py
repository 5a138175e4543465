"""What the config reference and the migration page say besides their tables."""

READING = """
# Configuration

<!-- Made by `make generate` from the models in services/*/config.py; do not edit. -->

Hector reads one YAML file: the one that `--config` names, else `hector.yaml`, else `.hector/config.yaml`.
Without a file it runs an assistant of its own ([quickstart](quickstart.md)). `hector validate` checks a file
and tells everything that is wrong with it at once, with line and column; `hector schema` prints the JSON
Schema for your editor, and a running server shows it at `/schema`. The two take the same files, but for what
no schema can see: keys given twice and other broken YAML, names that are declared nowhere, variables that are
not set, and values that do not go together.

## How a file is read

* **YAML 1.2.** `true` and `false` are booleans, `on`, `yes`, `0755` and `12:30:00` are text. A key that is
  given twice, one that is not known, or a second document is an error. Top-level keys that begin with `x-`
  are yours: a place for anchors.
* **What is said counts.** `0`, `false` and `[]` are values. A key that is left out has its default.
* **Variables.** Any value, of any type, may be or hold `${NAME}`: it must be set. `${NAME:-text}` and
  `${NAME:text}` mean the text when it is unset or empty; the text may hold variables too. `$${` is a literal
  `${`, and a `$` alone stays as it is. Keys hold no variables. Values come from the environment, then from
  `.env` beside the file, in the project folder, and in `~/.hector`.
* **Durations** are seconds or text: `30`, `250ms`, `30s`, `5m`, `1h30m`, `2d`. **Sizes** are bytes or text:
  `1048576`, `10MB` (a thousand thousands), `1GiB`. **Text, as written** takes numbers too: `version: 1.0`.
* **Paths** that are relative belong to the project folder: the file's own, or the one that holds `.hector/`.
  `~` is the home.
* **Secrets** show as `***` wherever they would be printed, logged or served. Write `${NAME}` and keep them
  out of the file.
* **Older spellings** load, each with one warning; keys of later versions are refused by name:
  [migration](migration.md).

## Revisions

A server writes down which config it runs on: `.hector/hector.db` (or the database of `storage`) holds every
one, numbered in the order in which they were first seen, and identified by a hash of its text. The same file
is the same revision. What is kept is the text before variables were filled in, comments included. A secret
that is written out in it is replaced by a keyed hash, so that another secret is another revision and nobody
can guess it; such a revision says `applicable: false`. The key is made when it is first needed, in
`.hector/revision.key`, for its owner alone; several machines that share a database and such a file each have
their own key, and so their own revisions, which is one more reason to write `${NAME}`.

`hector serve` prints number and hash when it starts. For the admin, `GET /api/config` shows the values in
effect without secrets, `GET /api/config/revisions` lists revisions, the latest first (`?limit=`,
`?before=NUMBER`), and `GET /api/config/revisions/NUMBER` shows one with its text.

On SIGHUP a server reads its file again: a good one is the next revision and takes effect at once, as far as
that goes without a restart ([what does](operations.md#change-the-config)); one that is no good is refused,
and nothing changes.
"""

MIGRATION = """
# Migration

<!-- Made by `make generate` from services/hector_runtime/aliases and the models; do not edit. -->

Config files of earlier versions of Hector load as they are. Each older spelling gives one warning, with file,
line and the spelling of today, when the file is read (`hector validate`, `hector serve`); nothing is changed
in the file. They are taken as long as version 2 of the format is read; none is going to be removed before.
Where both spellings are given, and differ, that is an error.

A key that belongs to a feature which this version does not have is an error that says so, and never ignored.
The second table has them all, with what to do instead. An older spelling may lead to such a key: then there
is the warning and the error; the table says "not yet".

`<name>` stands for any name, or any place in a list.
"""

EXAMPLES = {
    "agents": """
llms:
  default: {provider: local}
agents:
  support:                       # POST /agents/support
    name: Support
    description: Answers questions about the product.
    instruction: |
      You help customers. Answer from the documents, and say where you found it.
    visibility: public
    tools: [search]
    reasoning: {max_iterations: 20}
    skills:
      - {id: help, description: Answers questions, tags: [help], examples: ["How do I start?"]}
document_stores:
  manual: {source: {path: ./docs}}
""",
    "llms": """
llms:
  default:
    provider: openai
    model: gpt-4o
    api_key: ${OPENAI_API_KEY}
    max_tokens: 2000
    timeout: 2m
  own:                           # any server that speaks OpenAI's chat completions
    provider: openai
    base_url: http://models.internal:8000/v1
    model: my-model
    temperature: 0
  offline: {provider: local}
""",
    "tools": """
tools:
  todo_write: {}
  read_file: {working_directory: ./docs, max_file_size: 1MB}
  find:                          # the tool grep_search, under a name of your own
    type: grep_search
    working_directory: ./docs
    allowed_extensions: [.md]
""",
    "plugins": """
plugins:
  tool_providers:
    up:
      path: ./upper.py
      config: {language: en, api_key: "${UPPER_KEY:-none}"}
      security: {sandbox: true, timeout: 30s, max_memory: 256MB, allowed_networks: [api.example.com:443]}
  llm_providers:
    house: {address: "dns:///models.internal:7443", tls: {ca: ca.pem}}
tools:
  shout: {type: "plugin:up", config: {tool_name: upper}}
llms:
  default: {provider: "plugin:house", model: large}
""",
    "document_stores": """
document_stores:
  manual:
    source: {path: ./docs, include: ["*.md"]}
    chunking: {size: 800, overlap: 100}
    search: {top_k: 5, mode: hybrid}
    watch: true
""",
    "vector_stores": """
vector_stores:
  fast: {type: embedded, persist_path: /var/lib/hector/vectors}
document_stores:
  manual: {source: {path: ./docs}, vector_store: fast}
""",
    "embedders": """
embedders:
  small: {provider: local, dimension: 256}
document_stores:
  manual: {source: {path: ./docs}, embedder: small}
""",
    "defaults": """
defaults: {llm: fast}
llms:
  fast: {provider: openai, model: gpt-4o-mini, api_key: "${OPENAI_API_KEY}"}
  good: {provider: openai, model: gpt-4o, api_key: "${OPENAI_API_KEY}"}
agents:
  helper: {}                     # asks fast
  expert: {llm: good}
""",
    "server": """
server:
  host: 0.0.0.0
  port: 8080
  public_url: https://agents.example.com
  auth:
    api_keys:
      - {name: shop, key: "${SHOP_KEY}", roles: [user]}
  limits: {max_body_size: 2MB}
""",
    "storage": """
storage:
  database: postgresql://hector:${DATABASE_PASSWORD}@db.internal:5432/hector
""",
    "observability": """
observability:
  metrics: {enabled: true}
  tracing: {enabled: true, endpoint: "otel-collector:4317", sampling_rate: 0.1}
""",
    "logger": """
logger: {level: info, format: json}
""",
    "mesh": """
mesh:
  llm: unix:///run/hector/llm.sock
  agent: dns:///hector-agent:7010
  token: ${HECTOR_MESH_TOKEN}
""",
}
"""A whole config for each section."""
