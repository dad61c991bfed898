"""Whose HITs and assignments are whose: nobody acts on, or learns of, another requester's."""

from crowdsight.workplace.assignments import Assignment
from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.hits import Hit
from crowdsight.workplace.store import Store


class Ownership:
    """Finds what is a requester's own, at this moment."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def hit(self, requester_id: str, hit_id: str) -> Hit:
        """Raises RequestError HITDoesNotExist."""
        hit = self._store.find_hit(hit_id)
        if hit is None or hit.requester_id != requester_id:
            raise RequestError("HITDoesNotExist", f"Hit {hit_id} does not exist.")
        return hit

    def assignment(self, requester_id: str, assignment_id: str) -> Assignment:
        """Raises RequestError AssignmentDoesNotExist."""
        assignment = self._store.find_assignment(assignment_id)
        if assignment is None or assignment.requester_id != requester_id:
            raise RequestError("AssignmentDoesNotExist", f"Assignment {assignment_id} does not exist.")
        return assignment
