import {expect, test} from '@jest/globals'
import {recipeListText} from '../../src/cli/recipe-list-text.js'

const recipe = (name: string, model: string): {name: string; model: string; title: string; file: string} => ({
  file: `${name}.yaml`,
  model,
  name,
  title: `Title of ${name}`,
})

test('recipes stand under their models: shipped ones first, then those of the hub by family and size', () => {
  const text = recipeListText([
    recipe('large', 'a/mamba-1.4b-hf'),
    recipe('small', 'a/mamba-370m-hf'),
    recipe('other', 'b/Mamba2-130m'),
    recipe('first', 'models/tiny'),
    recipe('second', 'models/tiny'),
  ])
  expect(text.split('\n')).toEqual([
    'models/tiny',
    '  first   Title of first',
    '  second  Title of second',
    '',
    'a/mamba-370m-hf, from the hub',
    '  small   Title of small',
    '',
    'a/mamba-1.4b-hf, from the hub',
    '  large   Title of large',
    '',
    'b/Mamba2-130m, from the hub',
    '  other   Title of other',
  ])
  expect(recipeListText([])).toBe('')
})
