"""The product's recipe, and one as of the paper's time."""

from tiny_campaigns import CPU, digits, one_thread

from al_engine.training.evaluate import evaluate
from al_engine.training.loop import in_steps, one_cycle, train
from al_engine.training.recipe import default_recipe
from al_lab.config.settings import Model
from al_lab.simulation.recipes import recipe_for


def test_the_product_trains_by_its_own_recipe() -> None:
    given = recipe_for(Model("vgg16_bn"), image_size=32, labels=500, device=CPU)
    assert given == default_recipe(
        "vgg16_bn", image_size=32, labels=500, device=CPU, warm_start="scratch"
    )


def test_the_plain_recipe_falls_in_steps() -> None:
    plain = recipe_for(Model("vgg16", "plain"), image_size=32, labels=640, device=CPU)
    assert (plain.optimizer, plain.schedule, plain.class_balance) == ("sgd", "steps", "none")
    assert plain.steps(640) == 300
    assert [in_steps(done) for done in (0.0, 0.49, 0.5, 0.74, 0.75, 1.0)] == [
        *(1.0, 1.0),
        *(0.1, 0.1),
        *(0.01, 0.01),
    ]
    assert one_cycle(0.5) != in_steps(0.5)


def test_a_model_learns_by_the_plain_recipe() -> None:
    images = digits().train
    recipe = recipe_for(Model("small_cnn", "plain"), image_size=8, labels=400, device=CPU)
    with one_thread():
        trained = train(
            images.pixels[:400],
            images.truth[:400],
            classes=10,
            recipe=recipe,
            device=CPU,
            seed=0,
        )
        test = digits().test
        found = evaluate(trained.model, test.pixels, test.truth, device=CPU)
    assert found.accuracy > 0.75
