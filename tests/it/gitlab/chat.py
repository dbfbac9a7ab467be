"""Makes the calls of commands in comments by the client that others keep."""
import sys

import gitlab

url, token, path, person, number, sha, asked, thread = sys.argv[1:]
forge = gitlab.Gitlab(url, private_token=token, retry_transient_errors=False)
project = forge.projects.get(path, lazy=True)
member = project.members_all.get(int(person))
print(member.state, member.access_level)
print(project.commits.get("feature/x").id)
change = project.mergerequests.get(int(number))
print(change.state, change.sha, change.source_project_id == change.target_project_id)
change = project.mergerequests.get(int(number), lazy=True)
change.notes.get(int(asked), lazy=True).awardemojis.create({"name": "eyes"})
reply = change.notes.create({"body": "queued"})
found = change.notes.list(order_by="created_at", sort="desc", per_page=100, get_all=False)
print(found[0].body)
reply = change.notes.get(reply.id, lazy=True)
reply.body = "done"
reply.save()
change.discussions.get(thread, lazy=True).notes.create({"body": "in the thread"})
commit = project.commits.get(sha, lazy=True)
made = commit.discussions.create({"body": "on the commit"})
note = made.attributes["notes"][0]["id"]
listed = commit.discussions.list(page=1, per_page=100, get_all=False)
print(listed[0].attributes["notes"][0]["body"])
note = commit.discussions.get(made.id, lazy=True).notes.get(note, lazy=True)
note.body = "edited on the commit"
note.save()
