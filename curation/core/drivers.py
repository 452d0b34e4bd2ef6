"""What a user can do about a URL that cannot be opened: a package to install, credentials to give."""

_EXTRAS = {"s3fs": "'curation[s3]'"}
_NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"})


def remedy(url: str, error: BaseException) -> str | None:
    """One line that says what is missing, and how to have it; None where the error says all there is to say.

    Args:
        url: that could not be opened.
        error: of fsspec, or of one of its file systems; they are told by name, as none need be installed.
    """
    scheme = url.partition("://")[0]
    if isinstance(error, ImportError):
        package = getattr(error.__cause__, "name", None) or error.name
        if package:
            return f"{scheme}:// needs {package}: pip install {_EXTRAS.get(package, package)}"
    if type(error).__name__ in _NO_CREDENTIALS:
        return (
            f"{scheme}:// needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
            "or AWS_PROFILE; for a public bucket FSSPEC_S3_ANON=true"
        )
    return None
