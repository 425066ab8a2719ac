"""The API's table of contents, under /api/v1/."""

from django.urls import path

from survey_site.api import arms, batches, views, works

urlpatterns = [
    # --- raters ---
    path("studies/<slug:slug>/trials/", views.trials, name="api-trials"),
    path("trials/<uuid:code>/vote/", views.vote, name="api-vote"),
    # --- researchers ---
    path("checkpoints/", arms.checkpoints, name="api-checkpoints"),
    path("recipes/", arms.recipes, name="api-recipes"),
    path("recipes/<slug:key>/", arms.recipe, name="api-recipe"),
    path("arms/", arms.arms, name="api-arms"),
    path("arms/<int:pk>/", arms.arm, name="api-arm"),
    path("batches/", batches.batches, name="api-batches"),
    path("batches/<int:pk>/", batches.batch, name="api-batch"),
    path("batches/<int:pk>/cancel/", batches.cancel, name="api-batch-cancel"),
    path("batches/<int:pk>/retry/", batches.retry, name="api-batch-retry"),
    path("batches/<int:pk>/scores/", batches.scores, name="api-batch-scores"),
    path("works/", works.works, name="api-works"),
    path("works/<int:pk>/", works.work, name="api-work"),
    path("works/<int:pk>/cancel/", works.cancel, name="api-work-cancel"),
    path("works/<int:pk>/repeat/", works.repeat, name="api-work-repeat"),
    path("works/<int:pk>/files/<str:name>", works.file, name="api-work-file"),
]
