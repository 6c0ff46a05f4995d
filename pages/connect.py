"""The Connect page: which lines connect a voice agent or a program to this livemon, and whether one has come."""

from starlette.requests import Request

from components.connect import Connect
from livemon.access.person import Person
from livemon.access.roles import Right
from livemon.api.connect import deployment_of
from livemon.node import Node


def connect_page(node: Node, person: Person, request: Request) -> None:
    """For this person, by the address by which they have come; whoever calls it has looked at the right."""
    Connect(deployment_of(node, request, person), manages=person.may(Right.MANAGE))
