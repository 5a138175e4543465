"""Agents answered by code of the operator's own: `type: custom` with `handler: package.module:name`."""
