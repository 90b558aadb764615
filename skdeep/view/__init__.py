"""How estimators are shown: the table of a network's layers, and the HTML view in notebooks.

`layers` traces a network and returns its layers (`modules` notes the calls of linen modules, `shapes` words shapes), and `summary` makes a
table of them. `parameters` and `values` decide how parameters and fitted attributes are shown, `training` describes how training went,
`curve` draws its losses, and `html` joins all in one section.
Nothing here is imported before an estimator is shown.
"""
