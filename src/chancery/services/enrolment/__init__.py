"""What every enrolment protocol stands on: doors, credentials bound to identities, one desk."""

from chancery.services.enrolment.credential_rules import Issued, NewCredential
from chancery.services.enrolment.credentials import CredentialService
from chancery.services.enrolment.desk import EnrolmentDesk, Standing
from chancery.services.enrolment.doors import DoorService
from chancery.services.enrolment.release import KeyRelease
from chancery.services.enrolment.traffic import Traffic
from chancery.services.enrolment.transactions import Enrolment, Transactions

__all__ = [
    "CredentialService",
    "DoorService",
    "Enrolment",
    "EnrolmentDesk",
    "Issued",
    "KeyRelease",
    "NewCredential",
    "Standing",
    "Traffic",
    "Transactions",
]
