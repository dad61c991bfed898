"""crowdsight: crowd tasks, image search and the workplace behind them."""
