"""The site's addresses."""

from django.urls import path
from library.views import lend

urlpatterns = [path("lend/<str:title>/", lend)]
