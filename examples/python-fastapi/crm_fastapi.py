"""A small CRM whose people call its customers, with FastAPI: sh examples/run python-fastapi."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.middleware.sessions import SessionMiddleware

from c2c_stasis.client import AsyncClient, Error

STAFF = {"alice": "wonderland", "bob": "builder"}  # yours: a table of users, with hashes of their passwords

# --- to be copied: the platform key is in the environment of this server, and goes to the service alone
c2c = AsyncClient.from_environment()
user_ids: dict[str, str] = {}  # yours: a column of the table of users


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with c2c:
        user_ids.update({user.name.lower(): user.id async for user in c2c.users.list()})
        yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(SessionMiddleware, secret_key=secrets.token_hex(), same_site="strict")


class Login(BaseModel):
    name: str
    password: str


@app.post("/api/login", status_code=204)
async def login(who: Login, request: Request) -> None:
    if who.name not in STAFF or not secrets.compare_digest(STAFF[who.name].encode(), who.password.encode()):
        raise HTTPException(401, "wrong name or password")
    request.session["name"] = who.name


@app.post("/api/logout", status_code=204)
async def logout(request: Request) -> None:
    request.session.clear()


def signed_in(request: Request) -> str:
    """Who is signed in, by the signed cookie."""
    name: str | None = request.session.get("name")
    if name is None:
        raise HTTPException(401, "sign in first")
    return name


# --- to be copied: what `fetchClientSecret` of the page gets. Who is signed in decides whose session it is, and nothing else
@app.get("/api/dialstack/session")
async def session(name: Annotated[str, Depends(signed_in)], response: Response) -> dict[str, str]:
    opened = await c2c.sessions.create_for_user(user_ids[name], ttl_seconds=3600)
    response.headers["Cache-Control"] = "no-store"
    return {
        "client_secret": opened.client_secret,
        "user_id": opened.user_id,
        "expires_at": opened.expires_at.isoformat(),
        "api_url": os.environ["C2C_BASE_URL"],
    }


@app.exception_handler(Error)
async def no_calls_now(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": "calls are not possible now"}, 503)


app.mount("/", StaticFiles(directory=Path(__file__).parents[1] / "crm", html=True))

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "3000")))
