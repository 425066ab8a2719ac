"""The site's table of contents."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path

from survey_site.api import urls as api
from survey_site.views import (
    arms,
    batches,
    bundles,
    charts,
    checkpoints,
    commissions,
    entering,
    home,
    laboratory,
    planning,
    plans,
    rating,
    results,
    stimuli,
    studies,
    webhooks,
    works,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("sign-in/", LoginView.as_view(), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    # --- researchers: studies and their results ---
    path("studies/", studies.index, name="studies"),
    path("studies/new/", studies.create, name="study-create"),
    path("studies/<slug:slug>/", studies.page, name="study"),
    path("studies/<slug:slug>/open/", studies.set_status, {"act": "open"}, name="study-open"),
    path("studies/<slug:slug>/pause/", studies.set_status, {"act": "pause"}, name="study-pause"),
    path("studies/<slug:slug>/close/", studies.set_status, {"act": "close"}, name="study-close"),
    path("studies/<slug:slug>/plan/", plans.page, name="study-plan"),
    path("studies/<slug:slug>/plan/import/", plans.import_file, name="study-plan-import"),
    path("studies/<slug:slug>/plan.toml", plans.as_toml, name="study-plan-toml"),
    path("studies/<slug:slug>/results/", results.page, name="results"),
    path("studies/<slug:slug>/results/charts/<slug:name>.<slug:ending>", charts.chart, name="results-chart"),
    path(
        "studies/<slug:slug>/results/charts/<int:pairing>/<slug:name>.<slug:ending>",
        charts.chart,
        name="results-pairing-chart",
    ),
    path("studies/<slug:slug>/results/bundle.zip", bundles.download, name="results-bundle"),
    path("studies/<slug:slug>/results.json", results.as_json, name="results-json"),
    path("studies/<slug:slug>/results.csv", results.as_csv, name="results-csv"),
    path("studies/<slug:slug>/results.tex", results.as_latex, name="results-latex"),
    path("studies/<slug:slug>/results.html", results.as_html, name="results-html"),
    path("studies/<slug:slug>/results/methods.txt", results.methods, name="results-methods"),
    path("studies/<slug:slug>/results/references.bib", results.references, name="results-references"),
    path("studies/<slug:slug>/votes.csv", results.votes, name="study-votes"),
    path("planning/", planning.page, name="planning"),
    # --- researchers: checkpoints and arms ---
    path("checkpoints/", checkpoints.index, name="checkpoints"),
    path("checkpoints/<int:pk>/", checkpoints.page, name="checkpoint"),
    path("arms/", arms.index, name="arms"),
    path("arms/new/", arms.create, name="arm-create"),
    path("arms/<int:pk>/", arms.page, name="arm"),
    path("arms/<int:pk>/recipe.json", arms.recipe, name="arm-recipe"),
    # --- researchers: batches ---
    path("batches/", batches.index, name="batches"),
    path("batches/new/", batches.create, name="batch-create"),
    path("batches/upload/", batches.upload, name="batch-upload"),
    path("batches/<int:pk>/", batches.page, name="batch"),
    path("batches/<int:pk>/progress/", batches.progress, name="batch-progress"),
    path("batches/<int:pk>/cancel/", batches.cancel, name="batch-cancel"),
    path("batches/<int:pk>/retry/", batches.retry, name="batch-retry"),
    path("batches/<int:pk>/laboratory/", laboratory.section, name="batch-laboratory"),
    path("batches/<int:pk>/scores/new/", laboratory.score, name="scoring-create"),
    path("batches/<int:pk>/figures/new/<slug:kind>/", laboratory.draw, name="figure-create"),
    path("images/<int:pk>.png", batches.image, name="image"),
    # --- researchers: other long work ---
    path("works/", works.index, name="works"),
    path("works/progress/", works.progress, name="works-progress"),
    path("works/new/registration/", works.register, name="registration-create"),
    path("works/new/figure/<slug:kind>/", laboratory.draw, name="classifier-figure-create"),
    path("works/new/training/<slug:role>/", commissions.train, name="training-create"),
    path("works/<int:pk>/scores/", commissions.score_run, name="run-score"),
    path("works/new/reproduction/", commissions.reproduce, name="reproduction-create"),
    path("works/<int:pk>/", works.page, name="work"),
    path("works/<int:pk>/state/", works.state, name="work-state"),
    path("works/<int:pk>/cancel/", works.cancel, name="work-cancel"),
    path("works/<int:pk>/repeat/", works.repeat, name="work-repeat"),
    path("works/<int:pk>/files/<str:name>", works.file, name="work-file"),
    # --- raters ---
    path("rate/<slug:slug>/", entering.welcome, name="rate"),
    path("rate/<slug:slug>/enter/", entering.enter, name="rate-enter"),
    path("rate/<slug:slug>/trial/", rating.trial, name="rate-trial"),
    path("rate/<slug:slug>/trial/<uuid:code>/", rating.vote, name="rate-vote"),
    path("rate/<slug:slug>/thanks/", entering.thanks, name="rate-thanks"),
    path("rate/image/<uuid:code>/left.png", stimuli.image, {"side": "left"}, name="rate-image-left"),
    path("rate/image/<uuid:code>/right.png", stimuli.image, {"side": "right"}, name="rate-image-right"),
    # --- crowd platforms ---
    path("platforms/<slug:platform>/<slug:slug>/", webhooks.message, name="platform-message"),
    # --- API ---
    path("api/v1/", include(api)),
]
