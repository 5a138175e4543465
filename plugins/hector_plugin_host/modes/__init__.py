"""The ways to reach a plugin: `spawn` and `listen` start a process, `attach` and `watch` find one."""
