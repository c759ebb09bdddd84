"""Start real browsers: Firefox by Marionette, Chromium by CDP over a pipe.

Nothing is installed for it but the browser itself. `open_process` makes a private folder with a supervisor that removes
it; in it `open_firefox` and `open_chromium` start a throw-away browser with extensions loaded.
"""
