"""People answer the truth, err as often as they are said to, or repeat what was recorded."""

from pathlib import Path

import pytest
import torch
from pictures import write_zip
from stored_data import loaded, write_csv, write_npz

from al_lab.config.settings import People
from al_lab.data.datasets import DataSet, NoData
from al_lab.simulation.answers import Answers, answers_of

N = "train_index,clean_label,random_label1,random_label2,random_label3,aggre_label"
S = "test_index,label,worker,is_repeat,top1,top1_percent,top2"
H = "test_index,label,cat,dog"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """20 training and 10 test images of cats (even) and dogs."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_npz(folder / "pets.npz")
    return folder


def chance(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def asked(answers: Answers, image: int, truth: int, times: int = 1000) -> list[int]:
    """How often each class was answered."""
    generator = chance()
    given = [answers.answer(image, truth, 0, generator) for _ in range(times)]
    return torch.tensor(given).bincount(minlength=2).tolist()


def with_classes(data_set: DataSet, classes: int) -> DataSet:
    names = tuple(str(n) for n in range(classes))
    return DataSet(data_set.train, data_set.test, names)


def test_people_without_errors_answer_the_truth(folder: Path) -> None:
    answers = answers_of(People(), loaded(folder, "pets.npz"), None)
    assert asked(answers, 3, 1) == [0, 1000]


def test_errors_are_as_frequent_as_said_and_of_every_other_class(folder: Path) -> None:
    five = with_classes(loaded(folder, "pets.npz"), 5)
    answers = answers_of(People(error_rate=0.4), five, None)
    counts = asked(answers, 3, 2, times=10_000)
    assert counts[2] == pytest.approx(6000, abs=200)  # 4 standard deviations
    assert counts[:2] + counts[3:] == pytest.approx([1000] * 4, abs=120)
    assert asked(answers_of(People(error_rate=1), five, None), 3, 2)[2] == 0


def test_the_same_generator_gives_the_same_answers(folder: Path) -> None:
    answers = answers_of(People(error_rate=0.5), loaded(folder, "pets.npz"), None)
    once, again = (
        [answers.answer(n, 0, 0, generator) for n in range(50)]
        for generator in (chance(3), chance(3))
    )
    assert once == again
    assert set(once) == {0, 1}


def test_three_recorded_labels_an_image_are_drawn_from(folder: Path) -> None:
    rows = [f"{n},{n % 2},{n % 2},0,{n % 2},1" for n in range(20)]
    write_zip(folder / "crowd_labels.zip", {"n.csv": "\n".join([N, *rows]).encode()})
    answers = answers_of(People(crowd="n.csv"), loaded(folder, "pets.npz"), folder)
    assert asked(answers, 4, 0) == [1000, 0]
    assert asked(answers, 5, 1) == pytest.approx([333, 667], abs=60)


def test_who_asks_as_many_people_as_were_recorded_gets_just_their_answers(folder: Path) -> None:
    rows = [f"{n},{n % 2},0,0,1,1" for n in range(20)]
    write_csv(folder / "n.csv", N, rows)
    answers = answers_of(People(crowd="n.csv"), loaded(folder, "pets.npz"), folder)
    generator, first = chance(), set()
    for _ in range(50):
        given: list[int] = []
        for person in range(3):
            given.append(answers.answer(5, 1, person, generator, given))
        assert sorted(given) == [0, 0, 1]
        first.add(given[0])
        assert answers.answer(5, 1, 3, generator, given) in (0, 1)
    assert first == {0, 1}


def test_several_rows_an_image_are_drawn_from_but_no_second_looks(folder: Path) -> None:
    rows = [f"{n},{n % 2},7,0,{n % 2},100," for n in range(10)]
    rows += ["3,1,8,0,0,60,1", "3,1,9,0,0,90,1", "4,0,8,1,1,60,"]
    write_csv(folder / "s.csv", S, rows)
    answers = answers_of(People(crowd="s.csv"), loaded(folder, "pets.npz#test"), folder)
    assert asked(answers, 3, 1) == pytest.approx([667, 333], abs=60)
    assert asked(answers, 4, 0) == [1000, 0]


def test_counts_of_votes_are_drawn_from(folder: Path) -> None:
    rows = [f"{n},{n % 2},{40 - 40 * (n % 2) + 10},{40 * (n % 2)}" for n in range(10)]
    write_csv(folder / "h.csv", H, rows)
    answers = answers_of(People(crowd="h.csv"), loaded(folder, "pets.npz#test"), folder)
    assert asked(answers, 3, 1) == pytest.approx([200, 800], abs=50)
    assert asked(answers, 2, 0) == [1000, 0]


def test_a_crowd_of_other_images_is_told_how_to_be_asked(folder: Path) -> None:
    write_csv(folder / "h.csv", H, [f"{n},{n % 2},1,1" for n in (2, 3, 8)])
    people = People(crowd="h.csv")
    wanted = r'with data\.name = "pets\.npz#h\.csv" the pool is the images that it is about'
    with pytest.raises(NoData, match=rf"labels of test images, and .* of train images: {wanted}"):
        answers_of(people, loaded(folder, "pets.npz"), folder)
    with pytest.raises(NoData, match=rf"no label of 7 of the 10 .*0, 1, 4, 5, 6, ….*{wanted}"):
        answers_of(people, loaded(folder, "pets.npz#test"), folder)
    narrowed = loaded(folder, "pets.npz#h.csv")
    assert narrowed.part == "test"
    assert narrowed.train.original.tolist() == [2, 3, 8]
    assert len(narrowed.test) == 20
    assert answers_of(people, narrowed, folder).answer(8, 0, 0, chance()) in (0, 1)


def test_a_crowd_of_images_that_are_not_there_is_refused(folder: Path) -> None:
    write_csv(folder / "h.csv", H, ["77,1,1,1"])
    with pytest.raises(NoData, match=r"h\.csv has labels of none of the test images"):
        loaded(folder, "pets.npz#h.csv")


def test_a_crowd_that_knows_other_truths_is_about_other_images(folder: Path) -> None:
    write_csv(folder / "h.csv", H, [f"{n},{(n + 1) % 2},1,1" for n in range(10)])
    with pytest.raises(NoData, match="another order: 10 of 10 are of another class there"):
        answers_of(People(crowd="h.csv"), loaded(folder, "pets.npz#test"), folder)


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        (N, "1,1,1,2,1,1", "line 3 cannot be used: there is no class 2"),
        (N, "1,1,1,x,1,1", "line 3 cannot be used: .*'x'"),
        (N, "1,1,1", "line 3 cannot be used"),
        (H, "1,1,-1,4", "line 3 cannot be used: -1 is not from 0 to"),
        (H, f"{10**30},1,1,4", "line 3 cannot be used: 1000.* is not from 0 to"),
        (S, "0,1,7,0,1,100,", "line 3 cannot be used: image 0 is of another class above"),
        ("image,label,top1", "1,1,1", "needs the columns train_index or test_index"),
        ("test_index,label,bird", "1,1,1", r"or one for each class \(cat, dog\)"),
    ],
)
def test_a_wrong_row_of_recorded_labels_is_named(
    folder: Path, header: str, row: str, words: str
) -> None:
    sound = {N: "0,0,0,0,0,0", S: "0,0,7,0,0,100,", H: "0,0,1,1"}.get(header, "0,0,0")
    write_csv(folder / "wrong.csv", header, [sound, row])
    with pytest.raises(NoData, match=rf"wrong\.csv.*{words}"):
        answers_of(People(crowd="wrong.csv"), loaded(folder, "pets.npz"), folder)


def test_files_of_recorded_labels_that_cannot_be_had_are_named(folder: Path) -> None:
    data_set = loaded(folder, "pets.npz")
    with pytest.raises(NoData, match=r"no n\.csv in .*data, nor a crowd_labels\.zip"):
        answers_of(People(crowd="n.csv"), data_set, folder)
    with pytest.raises(NoData, match="say with --data"):
        answers_of(People(crowd="n.csv"), data_set, None)
    with pytest.raises(NoData, match=r"\.\./n\.csv: recorded labels lie in the folder"):
        answers_of(People(crowd="../n.csv"), data_set, folder)
    write_zip(folder / "crowd_labels.zip", {"n.csv": N.encode(), "README.txt": b""})
    with pytest.raises(NoData, match=r"no s\.csv in .*crowd_labels\.zip; there are n\.csv\."):
        answers_of(People(crowd="s.csv"), data_set, folder)
    with pytest.raises(NoData, match=r"n\.csv has no labels"):
        answers_of(People(crowd="n.csv"), data_set, folder)
    (folder / "crowd_labels.zip").write_bytes(b"words")
    with pytest.raises(NoData, match=r"n\.csv in .* cannot be read"):
        answers_of(People(crowd="n.csv"), data_set, folder)


def test_errors_on_top_of_recorded_ones_and_impossible_rates_are_refused(folder: Path) -> None:
    data_set = loaded(folder, "pets.npz")
    with pytest.raises(NoData, match=r"leave people\.error_rate out"):
        answers_of(People(crowd="n.csv", error_rate=0.1), data_set, folder)
    with pytest.raises(NoData, match=r"people\.error_rate is 1\.5"):
        answers_of(People(error_rate=1.5), data_set, folder)
