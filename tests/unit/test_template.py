"""Templates in a config file are those of sqsjkr's config loader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqsjkr_gevent.config.template import expand
from sqsjkr_gevent.errors import ConfigError

ENVIRON = {
    "A": "alpha",
    "B": "beta",
    "EMPTY": "",
    "A B": "spaced",
    'Q"': "quoted",
    "JSON": '{"a":"<b> & c\n"}',
    # The last but one is how Python has a byte that is no UTF-8.
    "UNUSUAL": "\u2028\u2029\x01\udcff\u00e9",
}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a { b } c }} d", "a { b } c }} d"),
        ('{{ env "A" }}', "alpha"),
        ('{{ env "A" "x" }}', "alpha"),
        ('{{ env "NONE" "x" }}', "x"),
        ('{{ env "NONE" }}', "NONE"),
        ('{{ env "NONE" "B" "x" }}', "beta"),
        ('{{ env "EMPTY" "x" }}', "x"),
        ('{{ env "NONE" "" }}', ""),
        ("{{ env }}", ""),
        ('{{ must_env "A" }}', "alpha"),
        ('{{ must_env "EMPTY" }}', ""),
        ("{{ must_env `A` }}", "alpha"),
        ('{{env "NONE" `x`}}', "x"),
        ('{{   env\t"NONE"   "x"   }}', "x"),
        ('{{ env\n"NONE"\n"x"\n}}', "x"),
        ('id = "{{ must_env `A` }}-{{ env `B` }}" # {{ env `A` }}', 'id = "alpha-beta" # alpha'),
        ("a \n {{- env `A` }} b", "aalpha b"),
        ("a {{ env `A` -}} \n b", "a alphab"),
        ("a {{- env `A` -}} b", "aalphab"),
        ("{{ env `A` -}} {{- env `B` }}", "alphabeta"),
        (r'{{ env "Q\"" }}', "quoted"),
        (r'{{ env "NONE" "\x41\101\u0041\U00000041\t\\" }}', "AAAA\t\\"),
        (r'{{ env "NONE" "\xe3\x81\x82" }}', "\u3042"),
        (r"{{ env `NONE` `a\n` }}", "a\\n"),
        ("{{ env `NONE` `a\nb` }}", "a\nb"),
        ('{{ env "NONE" "}}" }}', "}}"),
        ('{{ env "NONE" "{{ env `A` }}" }}', "{{ env `A` }}"),
        ("{{ `A` }}", "A"),
        ("{{ env `A` | env }}", "alpha"),
        ('{{ "A" | env "NONE" }}', "alpha"),
        ("{{`A`|must_env}}", "alpha"),
        ('{{ env "x" (env "NONE" "B") }}', "beta"),
        ("{{ ((must_env (`A`))) }}", "alpha"),
        ("{{ must_env `JSON` | json_escape }}", r"{\"a\":\"\u003cb\u003e \u0026 c\n\"}"),
        ("{{ json_escape (must_env `JSON`) }}", r"{\"a\":\"\u003cb\u003e \u0026 c\n\"}"),
        ("{{ json_escape `a\tb\\c` }}", r"a\tb\\c"),
        ("{{ env `UNUSUAL` | json_escape }}", r"\u2028\u2029\u0001\ufffdé"),
        ("{{ env `EMPTY` `` | json_escape }}", ""),
        ("a{{/* a comment */}}b", "ab"),
        ("a \n{{- /* of\n two lines, with {{ }} in it */ -}}\n b", "ab"),
        ("# {{/* must_env `NONE` */}}", "# "),
    ],
)
def test_a_template_is_replaced_by_what_it_stands_for(text: str, expanded: str) -> None:
    """Every form that a config file of sqsjkr may hold gives the same text."""
    assert expanded == expand(text, ENVIRON)


@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ('\n\n{{ must_env "NONE" }}', 3, "NONE"),
        ("{{ must_env }}", 1, "must_env takes one name"),
        ("{{ must_env `A` `B` }}", 1, "must_env takes one name"),
        ("\n{{ getenv `A` }}", 2, "'getenv'"),
        ("{{ }}", 1, "{{ }}"),
        ("{{ () }}", 1, "{{ () }}"),
        ("{{ (env `A` }}", 1, "{{ (env `A` }}"),
        ("{{ env `A`) }}", 1, "{{ env `A`) }}"),
        ("{{ env `A` | }}", 1, "{{ env `A` | }}"),
        ("{{ env `A` | `B` }}", 1, "{{ env `A` | `B` }}"),
        ("{{ `A` `B` }}", 1, "{{ `A` `B` }}"),
        ("{{ env`A` }}", 1, "{{ env`A` }}"),
        ("{{ env(`A`) }}", 1, "{{ env(`A`) }}"),
        ("{{ json_escape }}", 1, "json_escape takes one argument, got 0"),
        ("{{ `A` | json_escape `B` }}", 1, "json_escape takes one argument, got 2"),
        ("{{ /* a */ }}", 1, "{{ /* a */ }}"),
        ("{{/* a }}", 1, "{{/* a }}"),
        ("{{ if env `A` }}", 1, "'if'"),
        ("{{ " + "(" * 100_000, 1, "nested too deeply"),
        ("{{ .A }}", 1, "{{ .A }}"),
        ("{{ env A }}", 1, "{{ env A }}"),
        ("{{ env 'A' }}", 1, "{{ env 'A' }}"),
        ("{{ env `A`", 1, "{{ env `A`"),
        ('{{ env "A }}', 1, '{{ env "A }}'),
        ('{{ env "A\n" }}', 1, '{{ env "A'),
        ("{{-env `A` }}", 1, "{{-env"),
        ("{{ env `A`-}}", 1, "{{ env `A`-}}"),
        (r'{{ env "\q" }}', 1, r"\q"),
        (r'{{ env "\x4" }}', 1, r"\x"),
        (r'{{ env "\xff" }}', 1, r"\xff"),
        (r'{{ env "\ud800" }}', 1, r"\ud800"),
        (r'{{ env "\UFFFFFFFF" }}', 1, r"\UFFFFFFFF"),
        ("{{ env `A` }}\n{{ env `B` -}}\n\n{{ x }}", 4, "'x'"),
    ],
)
def test_a_template_that_cannot_be_expanded_is_named_with_its_line(
    text: str, line: int, named: str
) -> None:
    """The error leads to the place in the file."""
    with pytest.raises(ConfigError) as caught:
        expand(text, ENVIRON, "conf.toml")
    assert str(caught.value).startswith(f"conf.toml, line {line}: ")
    assert named in str(caught.value)


@given(st.text(alphabet='{}- \n"`\\envx4must_A|()/*', max_size=40))
def test_any_text_is_expanded_or_a_config_error(text: str) -> None:
    """Nothing but ConfigError comes out of a wrong template."""
    try:
        expanded, reason = expand(text, ENVIRON), None
    except ConfigError as error:
        expanded, reason = None, str(error)
    assert reason is None or reason.startswith("<string>, line ")
    assert "{{" in text or text == expanded
