"""A small CRM whose people call its customers, with Flask: sh examples/run python-flask."""

import os
import secrets
from pathlib import Path

from flask import Flask, Response, abort, jsonify, request, session

from c2c_stasis.client import Client, Error

STAFF = {"alice": "wonderland", "bob": "builder"}  # yours: a table of users, with hashes of their passwords

app = Flask(__name__, static_folder=str(Path(__file__).parents[1] / "crm"), static_url_path="")
app.secret_key = secrets.token_bytes(32)
app.config["SESSION_COOKIE_SAMESITE"] = "Strict"

# --- to be copied: the platform key is in the environment of this server, and goes to the service alone
c2c = Client.from_environment()
user_ids = {user.name.lower(): user.id for user in c2c.users.list()}  # yours: a column of the table of users


@app.get("/")
def page() -> Response:
    return app.send_static_file("index.html")


@app.post("/api/login")
def login() -> tuple[str, int]:
    who = request.get_json()
    name, password = str(who.get("name")), str(who.get("password"))
    if name not in STAFF or not secrets.compare_digest(STAFF[name].encode(), password.encode()):
        abort(401)
    session["name"] = name
    return "", 204


@app.post("/api/logout")
def logout() -> tuple[str, int]:
    session.clear()
    return "", 204


# --- to be copied: what `fetchClientSecret` of the page gets. Who is signed in decides whose session it is, and nothing else
@app.get("/api/dialstack/session")
def open_session() -> Response:
    if "name" not in session:
        abort(401)
    opened = c2c.sessions.create_for_user(user_ids[session["name"]], ttl_seconds=3600)
    answer = jsonify(
        client_secret=opened.client_secret,
        user_id=opened.user_id,
        expires_at=opened.expires_at.isoformat(),
        api_url=os.environ["C2C_BASE_URL"],
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


@app.errorhandler(Error)
def no_calls_now(_error: Error) -> tuple[Response, int]:
    return jsonify(error="calls are not possible now"), 503


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "3000")))
