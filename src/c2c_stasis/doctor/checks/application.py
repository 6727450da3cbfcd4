"""Is our Stasis application ours alone?"""

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, unseen, well
from c2c_stasis.doctor.patient import Patient
from c2c_stasis.ids import call_of

TAKEN = Fault(
    "app_taken",
    Status.CONFIG,
    "Another service is connected to Asterisk under the same application name. Two would fight over every call; the"
    " one that connected first is displaced and ends.",
    "Give each service its own [ari] app; or this is the same service with another [http] listen: then correct that.",
)


async def look(patient: Patient) -> list[Finding]:
    """See whether somebody listens for our application, and whether that is the service on our port."""
    app = patient.config.ari.app
    await patient.info()
    found = next((one for one in await patient.inspector.get("applications") if one["name"] == app), None)
    service = None if await patient.another_service() else await patient.service()
    place = patient.config.http.listen
    if service is not None and "asterisk" not in service:
        return [unseen(f"the service at {place} does not say whether it is connected to Asterisk")]
    if service is not None and service["asterisk"] == "ok":
        if found is not None:
            return [well(f"{app} belongs to the running service")]
        return [TAKEN.found(f"the service at {place} is connected to Asterisk, but not as {app}: it is another one")]
    if found is None:
        return [well(f"nobody uses the application {app}")]
    if place.port == 0:
        return [unseen(f"somebody uses the application {app}; without a fixed port it cannot be seen who")]
    channels = found["channel_ids"]
    strange = {call_of(channel) for channel in channels} - (await patient.live_calls() if channels else set())
    if strange:
        return [TAKEN.found(f"the application {app} has calls that our database does not know, {len(strange)} of them")]
    if channels or found["bridge_ids"]:
        # Without its service an application stays in Asterisk for as long as it has channels (22.10.1).
        return [
            unseen(
                f"the application {app} has calls of ours, and no service answers at {place}: they are left of a service"
                " that ended, and the next start takes them over"
            )
        ]
    return [TAKEN.found(f"somebody is connected as {app}, and no service answers at {place}")]


CHECK = Check("application", "Is our Stasis application ours alone?", (TAKEN,), look)
