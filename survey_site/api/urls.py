"""The API's table of contents, under /api/v1/."""

from django.urls import path

from survey_site.api import views

urlpatterns = [
    path("studies/<slug:slug>/trials/", views.trials, name="api-trials"),
    path("trials/<uuid:code>/vote/", views.vote, name="api-vote"),
]
