"""`hector task push`, as somebody uses it whose webhook was down."""

import json
import signal
import time

from support.processes import free_port, message, post

CONFIG = """
agents: {assistant: {instruction: Answer.}}
server: {a2a: {push: {allowed_networks: [127.0.0.1], allow_http: true, max_attempts: 1}}}
"""


def test_a_webhook_that_was_given_up_is_seen_and_taken_up(hector):
    hector.write(CONFIG)
    url = hector.serve("--config", "hector.yaml").url
    webhook = f"http://127.0.0.1:{free_port()}/"
    push = {"taskPushNotificationConfig": {"url": webhook, "id": "mine"}}
    sent = post(f"{url}/agents/assistant", "SendMessage", message("hi") | {"configuration": push})
    task = sent["result"]["task"]["id"]
    listed = ("task", "push", "list", "--url", url, "--task", task, "--state", "dead")
    for _ in range(40):  # each round is a process of its own, and takes as long
        if found := json.loads(hector.run(*listed, "-f", "json").stdout)["pushConfigs"]:
            break
    (one,) = found
    assert (one["run"], one["id"], one["url"], one["attempts"]) == (task, "mine", webhook, 1)
    assert "connect" in one["error"]
    table = hector.run(*listed).stdout
    assert task in table
    assert webhook in table
    retried = hector.run("task", "push", "retry", task, "--url", url)
    assert retried.stdout == f"Webhook mine of task {task} is taken up again.\n"
    unknown = hector.run("task", "push", "retry", task, "other", "--url", url)
    assert unknown.returncode == 1
    assert "no push notification config 'other'" in unknown.stderr


def test_other_settings_are_taken_over_while_the_server_runs(hector):
    hector.write(CONFIG.replace("allow_http: true", "allow_http: false"))
    server = hector.serve("--config", "hector.yaml")
    push = {"taskPushNotificationConfig": {"url": f"http://127.0.0.1:{free_port()}/"}}

    def send() -> dict:
        return post(f"{server.url}/agents/assistant", "SendMessage", message("hi") | {"configuration": push})

    assert "must begin with https://" in send()["error"]["message"]
    hector.write(CONFIG)
    server.process.send_signal(signal.SIGHUP)
    for _ in range(200):
        if "result" in (answer := send()):
            break
        time.sleep(0.05)  # what is waited for is in another process
    assert answer["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
