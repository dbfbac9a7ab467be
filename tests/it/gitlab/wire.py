"""Makes the calls of cutover by the client that others keep."""
import sys

import gitlab

url, token, path, first, second = sys.argv[1:]
forge = gitlab.Gitlab(url, private_token=token, retry_transient_errors=False)
assert forge.projects.get(path).path_with_namespace == path
project = forge.projects.get(path, lazy=True)
commit = project.commits.get(first, lazy=True)
link = "https://cutover.test/deployments/one"
for state, said in [("pending", "queued"), ("running", "deploying to production"), ("success", "one is live")]:
    commit.statuses.create(
        {"state": state, "ref": "main", "name": "cutover/production", "target_url": link, "description": said}
    )
assert [status.status for status in commit.statuses.list()] == ["success"]
assert project.environments.list(name="production") == []
place = project.environments.create({"name": "production", "external_url": "https://shop.test"})
made = {"environment": "production", "ref": "main", "tag": False, "status": "running"}
good = project.deployments.create({**made, "sha": first})
good.status = "success"
good.save()
bad = project.deployments.create({**made, "sha": second})
bad.status = "failed"
bad.save()
newest = project.deployments.list(environment="production", order_by="id", sort="desc", per_page=100, get_all=False)
print(" ".join(deployment.status for deployment in newest))
