"""Asking the models: of each task when its HIT is out, and of each known-answer question once.

Their scores of questions whose truth is told are the evidence; the refit weighs it. A picture that no model can look
at is no error here: the task goes on without the machine's opinion.
"""

import logging
import random
from collections.abc import Callable, Iterable
from typing import Protocol

from crowdsight.catalogue import CATALOGUE, CrowdFunction, Document
from crowdsight.crowd.gold import GoldStore
from crowdsight.crowd.opinions import Opinions, Score
from crowdsight.errors import InvalidRequest, UndecodableImage, UnfetchableImage
from crowdsight.task_store import TaskStore

logger = logging.getLogger(__name__)


class Scoring(Protocol):
    """What models there are."""

    def score(self, task_input: Document) -> Score | None:
        """As `Scorer` does. Raises InvalidRequest, UnfetchableImage, UndecodableImage."""
        ...


class Machine:
    """Every step may run twice."""

    def __init__(
        self,
        store: TaskStore,
        gold: GoldStore,
        opinions: Opinions,
        scorer: Scoring,
        functions: Iterable[CrowdFunction],
    ) -> None:
        self._store = store
        self._gold = gold
        self._opinions = opinions
        self._scorer = scorer
        self._functions = tuple(functions)

    def score_task(self, generation_id: str) -> None:
        """Score one task."""
        generation = self._store.load_generation(generation_id)
        function = CATALOGUE[generation.function]
        if not self._opinions.scores(function, [generation.id]):
            self._score(function, generation.id, generation.input_json)

    def score_known(self, is_time_up: Callable[[], bool]) -> int:
        """Score the known-answer questions that have no score; returns how many have one now that had none."""
        scored = 0
        for function in self._functions:
            questions = {question.ref.subject: question for question in self._gold.questions(function)}
            unscored = list(set(questions) - set(self._opinions.scores(function, questions)))
            random.shuffle(unscored)  # so that pictures that cannot be scored keep no others waiting for ever
            for subject in unscored:
                if is_time_up():
                    return scored
                scored += self._score(function, subject, questions[subject].input_json)
        return scored

    def _score(self, function: CrowdFunction, question: str, input_json: str) -> bool:
        try:
            score = self._scorer.score(function.input_model.model_validate_json(input_json))
        except (InvalidRequest, UnfetchableImage, UndecodableImage) as error:
            logger.info("no score of %s: %s", question, error.code)
            return False
        if score is None:
            return False
        self._opinions.note(function, question, score)
        return True
