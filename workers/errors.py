"""What can be wrong with a document or a table that a job names, and with where its result goes."""


class InputError(ValueError):
    """The input of a job cannot be used; the message is meant for whoever made the job."""


class NameRefusedError(InputError):
    """The name is not one that may be looked up, or what it leads to lies outside the allowed folders."""


class NotFoundError(InputError):
    """No file of that name is in the allowed folders, or the name fits several of them."""


class TooLargeError(InputError):
    """The input is larger than the setting allows."""


class UnreadableError(InputError):
    """The content is not what its name says, is damaged, is encrypted, or has a format that is not read here."""


class OverBudgetError(InputError):
    """The input needs more memory or time than one job may use."""


class ResultNotKeptError(InputError):
    """The result of a job can't be kept where the settings say; the message says which setting to change."""


class WorkFailedError(RuntimeError):
    """The work failed in a way that nobody foresaw, of which a note has the traceback, or its process was killed."""
