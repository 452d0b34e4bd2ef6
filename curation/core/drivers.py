"""What a user can do about a URL that cannot be opened: a package to install, credentials to give."""

_EXTRAS = {"s3fs": "'curation[s3]'"}
_NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"})
_REFUSED = frozenset({"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"})
"""Codes of S3 for credentials that are wrong or have run out, whatever is asked for."""


class AccessError(Exception):
    """No URL of this kind can be read on this machine: no fault of the file. The message says what to do."""


def check_access(url: str, error: BaseException) -> None:
    """Tell what is wrong with a machine from what is wrong with a file.

    Args:
        url: that could not be opened or read on.
        error: why.

    Raises:
        AccessError: a package is missing, or credentials are.
    """
    if told := remedy(url, error):
        raise AccessError(told) from error


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
    code = getattr(error.__cause__, "response", {}).get("Error", {}).get("Code")
    if code in _REFUSED:
        return (
            f"{scheme}:// refuses the credentials ({code}): correct or renew them, or use a role, which "
            "renews itself"
        )
    return None
