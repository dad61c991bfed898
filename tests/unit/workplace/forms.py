"""Question forms to test with."""

from crowdsight.workplace.question_form import NAMESPACES


def form(*questions: str, namespace: str = NAMESPACES[-1]) -> str:
    return f'<QuestionForm xmlns="{namespace}">{"".join(questions)}</QuestionForm>'


def question(
    answer: str = "<FreeTextAnswer/>",
    *,
    question_id: str = "q",
    content: str = "<Text>Well?</Text>",
    required: bool = False,
    display_name: str = "",
) -> str:
    name = f"<DisplayName>{display_name}</DisplayName>" if display_name else ""
    return (
        f"<Question><QuestionIdentifier>{question_id}</QuestionIdentifier>{name}"
        f"<IsRequired>{str(required).lower()}</IsRequired><QuestionContent>{content}</QuestionContent>"
        f"<AnswerSpecification>{answer}</AnswerSpecification></Question>"
    )


def free_text(constraints: str = "", default: str = "", lines: int = 1) -> str:
    return (
        f"<FreeTextAnswer><Constraints>{constraints}</Constraints><DefaultText>{default}</DefaultText>"
        f"<NumberOfLinesSuggestion>{lines}</NumberOfLinesSuggestion></FreeTextAnswer>"
    )


def selection(*labels: str, style: str = "", least: int | None = None, most: int | None = None, other: str = "") -> str:
    """Options named by the letters a, b, c …; `labels` are texts, or elements as they are."""
    options = "".join(
        f"<Selection><SelectionIdentifier>{chr(97 + number)}</SelectionIdentifier>"
        f"{label if label.startswith('<') else f'<Text>{label}</Text>'}</Selection>"
        for number, label in enumerate(labels or ("One", "Two", "Three"))
    )
    return (
        "<SelectionAnswer>"
        + (f"<MinSelectionCount>{least}</MinSelectionCount>" if least is not None else "")
        + (f"<MaxSelectionCount>{most}</MaxSelectionCount>" if most is not None else "")
        + (f"<StyleSuggestion>{style}</StyleSuggestion>" if style else "")
        + f"<Selections>{options}{other}</Selections></SelectionAnswer>"
    )


def binary(media_type: str = "image", url: str = "https://pictures.example/cat.jpg", alternative: str = "A cat") -> str:
    return (
        f"<Binary><MimeType><Type>{media_type}</Type><SubType>any</SubType></MimeType>"
        f"<DataURL>{url}</DataURL><AltText>{alternative}</AltText></Binary>"
    )
