"""Where static files go when they are collected."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFiles(CompressedManifestStaticFilesStorage):
    """Compressed files under hashed names, of which browsers keep each for ever; scripts import one another by them."""

    support_js_module_import_aggregation = True
