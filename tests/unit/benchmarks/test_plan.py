from benchmarks.faults.plan import MISSING_PICTURE_URL, Plan
from crowdsight.catalogue import CATALOGUE
from crowdsight.tasks import check_input, check_name


def test_the_same_seed_asks_the_same_questions_and_another_asks_others() -> None:
    assert Plan(tasks=50, seed=7).questions() == Plan(tasks=50, seed=7).questions()
    assert Plan(tasks=50, seed=7).questions() != Plan(tasks=50, seed=8).questions()


def test_every_question_is_one_that_the_service_takes() -> None:
    for question in Plan(tasks=300).questions():
        check_name(question.name)
        check_input(CATALOGUE[question.function], question.input)


def test_questions_are_of_every_function_with_different_names_and_some_missing_pictures() -> None:
    questions = Plan(tasks=200).questions()
    assert {question.function for question in questions} == set(CATALOGUE)
    assert len({question.name for question in questions}) == 200
    missing = [question for question in questions if MISSING_PICTURE_URL.partition("{")[0] in str(question.input)]
    assert 4 <= len(missing) <= 40


def test_a_throttled_run_has_less_to_spend() -> None:
    assert int(Plan(1, throttle=True).settings["throttle_rate"]) < int(Plan(1).settings["throttle_rate"])
