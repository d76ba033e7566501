"""Design-space exploration: a specification in YAML to costs, Pareto set, charts and Verilog."""
