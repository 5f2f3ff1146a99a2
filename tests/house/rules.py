"""The house rules that a machine can check, by name. Each is a function from a file to its violations."""

from typing import Final

from tests.house.lints import budgets, handlers, sql, text
from tests.house.source import Rule

RULES: Final[dict[str, Rule]] = {
    rule.__name__: rule
    for rule in (
        handlers.consumers_know_no_clock_and_no_chance,
        handlers.handlers_send_nothing,
        handlers.only_the_runtime_subscribes,
        handlers.only_the_token_module_imports_jose,
        sql.consumers_ask_no_clock_in_sql,
        sql.consumers_name_no_schema,
        sql.gateway_names_the_schema,
        budgets.files_are_short,
        budgets.functions_are_short,
        budgets.handlers_are_short,
        budgets.the_command_needs_only_python,
        text.exceptions_are_explained,
        text.no_left_overs,
        text.no_path_of_one_machine,
        text.no_registry_address,
        text.skips_are_explained,
        text.topics_have_no_underscore,
    )
}
